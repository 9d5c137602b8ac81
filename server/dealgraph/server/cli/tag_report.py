"""What `dealgraph tag` prints: verdicts on models, and why a text has its tags."""

from collections.abc import Sequence

from rich.console import Console

from dealgraph.graph.model import Feeling, topics_of
from dealgraph.server.cli.terminal import heading, table
from dealgraph.stream.tagging.explaining import Explanation
from dealgraph.stream.tagging.judging import Verdict


def show_verdicts(out: Console, verdicts: Sequence[Verdict]) -> None:
    """Print a table with a line per label and measure."""
    numbers = ["Texts", "Model", "95 %", "Majority", "Lexicon", "ECE"]
    shown = table("How good", ["Label", "Measure", *numbers], numbers=numbers)
    for one in verdicts:
        shown.add_row(
            one.label, one.measure, f"{one.texts:,}", f"{one.model:.3f}",
            f"{one.low:.3f}–{one.high:.3f}", f"{one.majority:.3f}", f"{one.lexicon:.3f}",
            f"{one.calibration_error:.3f}",
        )  # fmt: skip
    out.print(shown)
    unknown = {one.label: one.unknown for one in verdicts if one.unknown}
    for label, count in unknown.items():
        out.print(f"{label}: {count} texts have no class that the model knows.", markup=False)


def show_explanation(out: Console, given: Explanation, top: int) -> None:
    """Print the tags, the words of the lexicon, and the `top` parts of the model's scores."""
    tags = given.tags
    topics = ", ".join(topic.name for topic in topics_of(tags.topics)) or "none"
    out.print(f"kind      {tags.kind.name}  (confidence {tags.confidence:.2f})")
    out.print(f"topics    {topics}")
    out.print(f"language  {tags.language or 'unknown'}")
    mood = "not inferred"
    if tags.emotion is not None:
        felt = tags.emotion
        mood = f"valence {felt.valence:+.2f}, arousal {felt.arousal:.2f}, confidence {felt.confidence:.2f}"
        if felt.feeling is not Feeling.UNKNOWN:
            mood += f", {felt.feeling.name.lower()}"
    out.print(f"emotion   {mood}")
    out.print(f"tagger    {given.version}")
    heading(out, "Words of the lexicon")
    for word in given.words:
        means = [topic.name for topic in word.topics] + list(word.cues)
        if word.valence:
            means.append(f"valence {word.valence:+g}")
        if word.arousal:
            means.append(f"arousal +{word.arousal:g}")
        out.print(
            f"  {word.text!r}: {', '.join(means) or 'hidden: it means something else'}",
            markup=False,
        )
    if not given.words:
        out.print("  none")
    _show_scores(out, given, top)


def _show_scores(out: Console, given: Explanation, top: int) -> None:
    shown: dict[str, int] = {}
    for one in given.scores:
        shown[one.head] = shown.get(one.head, 0) + 1
        if shown[one.head] > 3:
            continue
        if shown[one.head] == 1:
            heading(out, f"Model: {one.head}")
        parts = "  ".join(f"{part.name} {part.adds:+.2f}" for part in one.parts[:top])
        rest = sum(part.adds for part in one.parts[top:])
        out.print(
            f"  {one.name:<12}{one.likely:6.1%}  score {one.score:+.2f} = bias {one.bias:+.2f}  "
            f"{parts}  others {rest:+.2f}",
            markup=False,
        )
