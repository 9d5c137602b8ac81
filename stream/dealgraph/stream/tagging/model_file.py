"""Models in files: safetensors with the label schema in its metadata and a digest over everything.

No pickle: a file holds numbers and text and cannot run anything. Half precision is enough for weights, and
only the rows in use are stored.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import safetensors
import safetensors.numpy
from msgspec import Struct, structs

from dealgraph.stream.tagging import grams
from dealgraph.stream.tagging.features import Block
from dealgraph.stream.tagging.linear_model import Head, LinearModel

SCHEMA: Final = 2
"""Version of what a file holds; raise it when `Head`, `Block` or the meaning of the features changes."""

_SUFFIX: Final = ".safetensors"


class ModelError(Exception):
    """A model cannot be used; the message says why and what to do."""


class _Label(Struct, frozen=True, forbid_unknown_fields=True):
    """The label schema as the file holds it."""

    schema: int
    hashing: int
    bits: int
    blocks: tuple[Block, ...]
    heads: tuple[Head, ...]
    card: str


class _Version(Struct, frozen=True):
    schema: int
    hashing: int


def save_model(model: LinearModel, path: Path) -> LinearModel:
    """Write `model` and, beside it, its card in Markdown; return it as a reader will see it."""
    if path.suffix != _SUFFIX:
        raise ModelError(f"{path}: the name of a model ends in {_SUFFIX}.")
    label = _Label(SCHEMA, grams.VERSION, model.bits, model.blocks, model.heads, model.card)
    text = msgspec.json.encode(label).decode()
    tensors: dict[str, np.ndarray] = {
        "used": model.used.astype(np.uint32),
        "rarity": model.rarity.astype(np.float16),
        "table": model.table.astype(np.float16),
    }
    digest = _digest(text, tensors)
    raw = safetensors.numpy.save(tensors, {"label": text, "digest": digest})
    path.write_bytes(raw)
    path.with_suffix(".md").write_text(model.card + f"\nDigest: `{digest}`\n", encoding="utf-8")
    return structs.replace(model, digest=digest)


def load_model(path: Path) -> LinearModel:
    """Return the model in a file. Raises ModelError for a file that is no model, or was changed."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read: {error.strerror}.") from error
    return read_model(raw, str(path))


def read_model(raw: bytes, name: str) -> LinearModel:
    """Return the model held by `raw`; `name` is for messages."""
    try:
        tensors = safetensors.numpy.load(raw)
        size = int.from_bytes(raw[:8], "little")
        meta = msgspec.json.decode(raw[8 : 8 + size], type=dict[str, msgspec.Raw])
        stated = msgspec.json.decode(meta["__metadata__"], type=dict[str, str])
        text, digest = stated["label"], stated["digest"]
        version = msgspec.json.decode(text, type=_Version)
    except (safetensors.SafetensorError, msgspec.MsgspecError, KeyError) as error:
        raise ModelError(
            f"{name} is no model of dealgraph ({error}). Train one with `dealgraph tag train`."
        ) from error
    if version != _Version(SCHEMA, grams.VERSION):
        raise ModelError(
            f"{name} has schema {version.schema}.{version.hashing}; this dealgraph reads schema "
            f"{SCHEMA}.{grams.VERSION}. Train it again with `dealgraph tag train`."
        )
    if digest != _digest(text, tensors):
        raise ModelError(f"{name} was changed or is damaged: its digest does not fit. Get it anew.")
    return _model(msgspec.json.decode(text, type=_Label), tensors, digest, name)


def _model(label: _Label, tensors: dict[str, np.ndarray], digest: str, name: str) -> LinearModel:
    used = tensors["used"].astype(np.int64)
    rarity = tensors["rarity"].astype(np.float32)
    table = tensors["table"].astype(np.float32)
    classes = sum(len(head.classes) for head in label.heads)
    fits = rarity.shape == used.shape == (len(table),) and table.shape[1:] == (classes,)
    if not fits or (used >= 1 << label.bits).any():
        raise ModelError(f"{name}: its tables do not fit its labels. Train it again.")
    return LinearModel(
        label.heads, label.blocks, label.bits, used, rarity, table, label.card, digest
    )


def _digest(text: str, tensors: dict[str, np.ndarray]) -> str:
    found = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        found.update(f"{name}{array.dtype.str}{array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()
