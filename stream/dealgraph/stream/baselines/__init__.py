"""What is usual in segments and stages, learnt from the stream."""
