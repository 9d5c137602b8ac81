"""`dealgraph tag`: trains taggers, judges them, and explains what they say about a text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from dealgraph.graph.model import Side
from dealgraph.server.cli.command import FILE, Command, CommandError
from dealgraph.server.cli.tag_report import show_explanation, show_verdicts
from dealgraph.server.cli.terminal import console
from dealgraph.server.compose import open_tagger
from dealgraph.server.settings import load
from dealgraph.stream.connectors.mapping import load_mapping
from dealgraph.stream.tagging.explaining import explain
from dealgraph.stream.tagging.features import ALONE, DIALOGUE, SALES
from dealgraph.stream.tagging.labelled import Labelled, Question, questions, read_labelled
from dealgraph.stream.tagging.learnt_tagger import SHIPPED
from dealgraph.stream.tagging.lexicon_tagger import load_default_tagger
from dealgraph.stream.tagging.measures import Measure
from dealgraph.stream.tagging.model_file import load_model, save_model
from dealgraph.stream.tagging.utterances import ASKED, read_utterances
from dealgraph.stream.tagging.vectors import load_vectors

if TYPE_CHECKING:
    from dealgraph.stream.tagging.training import Plan

_HELP: Final = """
Work with the tagger: what was done in a text, about what, and in which mood.

`explain` shows what the tagger says about a text and why. `train` makes a model of your own from labelled
dialogues; `evaluate` judges it on dialogues it has not seen, beside the majority and the lexicon alone.

Labels come from an event log through its mapping: an attribute `label_NAME` holds one class per text,
`labels_NAME` several, separated by commas. deploy/mappings/ holds mappings of public data sets. Utterances
labelled by hand, one a line (--utterances), need no mapping.
"""

_STRENGTHS: Final = (4.0,)
"""What cross-validation chose for talk of sales, again and again."""
_MEASURES: Final = click.Choice([measure.value for measure in Measure])


@click.group(help=_HELP, short_help="Train, judge and explain the tagger")
def COMMAND() -> None:  # noqa: N802
    """Hold the commands of the tagger together."""


def _needs_scikit_learn() -> None:
    try:
        import scipy
        import sklearn  # noqa: F401

        del scipy
    except ImportError as error:
        raise CommandError(
            'Training needs scikit-learn: pip install "dealgraph[train]". Tagging does not.'
        ) from error


_FILES = click.argument("files", metavar="[FILE...]", nargs=-1, type=FILE)
_UTTERANCES = click.option(
    "--utterances", multiple=True, type=FILE,
    help="Utterances labelled by hand, one a line: SIDE KIND TOPICS MOOD TEXT; may be given again.",
)  # fmt: skip
_LANGUAGE = click.option(
    "--language", type=click.Choice(sorted(SALES)),
    help="Features for talk of sales in this language, as the shipped models have them.",
)  # fmt: skip
_VECTORS = click.option(
    "--vectors", "vectors_file", type=FILE, help="Vectors of words, for features with --language."
)
_MAPPING = click.option(
    "--mapping", "mapping_file", type=FILE,
    help="The columns of the files and their labels (YAML).",
)  # fmt: skip
_LABELS = click.option(
    "--label",
    "labels",
    multiple=True,
    help="A label of the mapping; may be given again. Default: all.",
)
_TUNED = click.option(
    "--tune-for", "measure", type=_MEASURES, default=Measure.WEIGHTED_F1.value, show_default=True,
    help="What the decisions are to be good at.",
)  # fmt: skip
_ALONE = click.option(
    "--alone", is_flag=True,
    help="Look at each text alone, as the live tagger must; default: also at what came before.",
)  # fmt: skip
_BITS = click.option(
    "--bits", type=click.IntRange(10, 22), default=18, show_default=True,
    help="The table has 2^bits rows: fewer make a smaller, coarser model.",
)  # fmt: skip


@COMMAND.command(
    "train",
    cls=Command,
    help="""
    Train a model on labelled dialogues and write it to --out, with a model card beside it.

    Strength and calibration are chosen by cross-validation over whole dialogues. The same files give the
    same model. Takes one to ten minutes for 10,000 to 75,000 texts.
    """,
    examples=(
        (
            "moods of a series, for data in the same form",
            "dealgraph tag train train_sent_emo.csv --mapping deploy/mappings/meld.yaml "
            "--out meld.safetensors",
        ),
    ),
)
@_FILES
@_UTTERANCES
@_LANGUAGE
@_VECTORS
@_MAPPING
@_LABELS
@_TUNED
@_ALONE
@_BITS
@click.option(
    "--title", default="", help="What the files are, with their licence; for the model card."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="Where to write the model (.safetensors).")  # fmt: skip
def _train(
    files: tuple[Path, ...],
    utterances: tuple[Path, ...],
    language: str | None,
    vectors_file: Path | None,
    mapping_file: Path | None,
    labels: tuple[str, ...],
    measure: str,
    alone: bool,
    bits: int,
    title: str,
    out: Path,
) -> int:
    """Train a model on labelled dialogues."""
    _needs_scikit_learn()
    from dealgraph.stream.tagging.training import read_corpus, train

    labelled, asked = _read(files, mapping_file, utterances, labels)
    corpus = read_corpus(labelled, load_default_tagger())
    plan = _plan(language, Measure(measure), bits, vectors_file, alone=alone)
    named = title or ", ".join(file.name for file in (*utterances, *files))
    with console(stderr=True).status(f"Training on {len(corpus.labelled):,} texts …"):
        model = save_model(train(corpus, asked, plan, named), out)
    console().print(
        f"Wrote {out} and its card: {', '.join(head.name for head in model.heads)}, "
        f"digest {model.digest[:12]}."
    )
    return 0


@COMMAND.command(
    "evaluate",
    cls=Command,
    help="""
    Judge a model on labelled dialogues, beside the majority class and the lexicon alone.

    With --model the files must be others than those it was trained on. Without it, models are trained anew
    on parts of the files and judged on the rest (--folds), whole dialogues at a time. Prints the 95 %
    bootstrap interval over dialogues and the expected calibration error.
    """,
    examples=(
        (
            "a model on dialogues it has not seen",
            "dealgraph tag evaluate dev_sent_emo.csv --mapping deploy/mappings/meld.yaml "
            "--model meld.safetensors",
        ),
        (
            "by cross-validation, where there is only one file",
            "dealgraph tag evaluate valid_split.csv --mapping deploy/mappings/cped.yaml --label act "
            "--tune-for accuracy",
        ),
    ),
)
@_FILES
@_UTTERANCES
@_LANGUAGE
@_VECTORS
@_MAPPING
@_LABELS
@click.option("--model", "model_file", type=FILE, help="The model to judge.")
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True,
              help="Parts for cross-validation, without --model.")  # fmt: skip
@_TUNED
@_ALONE
@_BITS
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the figures to this file.")  # fmt: skip
def _evaluate(
    files: tuple[Path, ...],
    utterances: tuple[Path, ...],
    language: str | None,
    vectors_file: Path | None,
    mapping_file: Path | None,
    labels: tuple[str, ...],
    model_file: Path | None,
    folds: int,
    measure: str,
    alone: bool,
    bits: int,
    json_file: Path | None,
) -> int:
    """Judge a model on labelled dialogues."""
    from dealgraph.stream.tagging.judging import judge, judge_by_folds
    from dealgraph.stream.tagging.training import read_corpus

    labelled, asked = _read(files, mapping_file, utterances, labels)
    corpus = read_corpus(labelled, load_default_tagger())
    with console(stderr=True).status(f"Judging on {len(corpus.labelled):,} texts …"):
        if model_file is not None:
            verdicts = judge(load_model(model_file), corpus, [one.name for one in asked])
        else:
            _needs_scikit_learn()
            plan = _plan(language, Measure(measure), bits, vectors_file, alone=alone)
            verdicts = judge_by_folds(corpus, asked, plan, folds)
    if not verdicts:
        raise CommandError("The model has none of these labels. Choose others with --label.")
    show_verdicts(console(), verdicts)
    if json_file is not None:
        raw = msgspec.to_builtins(verdicts)
        json_file.write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
    return 0


@COMMAND.command(
    "explain",
    cls=Command,
    help="""
    Show what the tagger says about TEXT and which words spoke for it.

    First the tags, then the words of the lexicon that were found and what they stand for, then, for each
    question the model answers, what the features of the text add to the scores of its first classes. The
    contributions and the bias sum to the score.
    """,
    examples=(
        (
            "a question from a customer",
            'dealgraph tag explain "Can you do any better on the price?"',
        ),
        ("what a rep writes", 'dealgraph tag explain --side rep "绝对没问题，我打包票"'),
    ),
)
@click.argument("text")
@click.option("--side", type=click.Choice(["customer", "rep", "unknown"]), default="customer",
              show_default=True, help="Who says it.")  # fmt: skip
@click.option("--top", type=click.IntRange(1, 50), default=6, show_default=True,
              help="How many features to show per class.")  # fmt: skip
@click.option(
    "--settings", type=FILE, help="A TOML file with settings: competitors, products, words."
)
@click.option(
    "--model", "model_file", type=FILE, help="Explain this model instead of the shipped one."
)
def _explain(text: str, side: str, top: int, settings: Path | None, model_file: Path | None) -> int:
    """Show what the tagger says about a text, and why."""
    stated = load(settings)
    own = dict.fromkeys(SHIPPED, load_model(model_file)) if model_file else None
    tagger = open_tagger(stated.tagging, own)
    show_explanation(console(), explain(tagger, text, Side[side.upper()]), top)
    return 0


def _plan(
    language: str | None, measure: Measure, bits: int, vectors_file: Path | None, *, alone: bool
) -> "Plan":
    from dealgraph.stream.tagging.training import Plan

    vectors = load_vectors(vectors_file) if vectors_file else None
    if language is not None:
        return Plan(SALES[language], measure, bits, _STRENGTHS, vectors=vectors)
    return Plan(ALONE if alone else DIALOGUE, measure, bits, vectors=vectors)


def _read(
    files: Sequence[Path],
    mapping_file: Path | None,
    utterances: Sequence[Path],
    labels: Sequence[str],
) -> tuple[list[Labelled], list[Question]]:
    """Return the texts of all files and the questions that their labels answer."""
    found, asked = read_utterances(utterances), list(ASKED) if utterances else []
    if files:
        if mapping_file is None:
            raise CommandError("Give the columns of the files with --mapping.")
        mapping = load_mapping(mapping_file)
        if utterances:  # a label may be of the utterances alone
            names = [one.name for one in questions(mapping)]
            stated = questions(mapping, [name for name in labels if name in names])
        else:
            stated = questions(mapping, labels)
        known = {one.name for one in asked}
        asked += [one for one in stated if one.name not in known]
        found += read_labelled(files, mapping)
    if not found:
        raise CommandError(
            "There is no text. Give files, or --utterances, and check `text` in the mapping."
        )
    return found, [one for one in asked if not labels or one.name in labels]
