"""What twelve new channels, five of them bad, do to what follows, with the channel gate and without it.

Accuracy is the share of deals that have an alert exactly when they should; the floor is the same
organisation with the good channels only.
"""

import tempfile
from pathlib import Path
from typing import Any, Final

from tests.support.channel_trial import GOOD, play
from tests.support.channel_world import PLANTED

NAME: Final = "channels"
SUMMARY: Final = "accuracy of alerts after twelve channels were added, with the gate and without"


def run(quick: bool) -> dict[str, Any]:
    """Return the figures; a quick run plays fewer deals."""
    deals = 24 if quick else 80
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        clean = play(root / "clean", GOOD, gated=False, deals=deals)
        bare = play(root / "bare", PLANTED, gated=False, deals=deals)
        gated = play(root / "gated", PLANTED, gated=True, deals=deals)
    bad = {channel.name for channel in PLANTED} - {channel.name for channel in GOOD}
    return {
        "deals": deals,
        "channels": len(PLANTED),
        "planted_bad": len(bad),
        "bad_found": len(bad & gated.stopped),
        "good_stopped": len(gated.stopped - bad),
        "accuracy_without_bad_channels": clean.accuracy,
        "accuracy_with_gate": gated.accuracy,
        "accuracy_without_gate": bare.accuracy,
        "drop_with_gate": 1 - gated.accuracy / clean.accuracy,
        "drop_without_gate": 1 - bare.accuracy / clean.accuracy,
    }
