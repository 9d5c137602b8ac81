"""What is known of words from elsewhere: a vector each, so that words used alike count alike.

Only training reads them; a model holds what came of them. A file holds `words` in its metadata, `vectors` in
whole numbers with one `scale` per dimension, and `weights`, which are the smaller the commoner a word is
(Arora, Liang and Ma 2017).
"""

from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy
from msgspec import Struct

from dealgraph.stream.tagging.features import Floats
from dealgraph.stream.tagging.grams import Places, letters, rows_of, word_grams


class Vectors(Struct, frozen=True):
    """Words with their `vectors`, shaped (words, dimensions), and `weights`."""

    words: tuple[str, ...]
    vectors: Floats
    weights: Floats

    def rows(self, space: int, bits: int) -> tuple[Places, Floats, Floats]:
        """Return the rows of the words in a table of 2^bits, with their weights and vectors.

        Of two words with the same row the one with the smaller weight, the commoner one, has it.
        """
        longest = max(len(word) for word in self.words)
        found = word_grams(letters(self.words), longest)
        ends = np.array([len(word) + 1 for word in self.words])
        whole = np.flatnonzero((found.starts == 1) & (found.ends == ends[found.texts]))
        numbers = found.texts[whole]
        order = np.argsort(self.weights[numbers], kind="stable")
        numbers = numbers[order]
        rows, first = np.unique(rows_of(found.hashes[whole][order], space, bits), return_index=True)
        return rows, self.weights[numbers[first]], self.vectors[numbers[first]]


def load_vectors(path: Path) -> Vectors:
    """Return the vectors in a file."""
    raw = path.read_bytes()
    tensors = safetensors.numpy.load(raw)
    size = int.from_bytes(raw[:8], "little")
    meta = msgspec.json.decode(raw[8 : 8 + size], type=dict[str, msgspec.Raw])
    stated = msgspec.json.decode(meta["__metadata__"], type=dict[str, str])
    words = tuple(stated["words"].split(" "))
    vectors = tensors["vectors"].astype(np.float32) * tensors["scale"]
    return Vectors(words, vectors, tensors["weights"].astype(np.float32))
