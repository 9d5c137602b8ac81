"""What the README shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.processes import serving

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_client_call_of_the_readme_publishes_and_asks(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    with serving(tmp_path) as server:
        program = found[1].replace("127.0.0.1:7440", server.listen)
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
        )
    assert "PUBLISH_OUTCOME_ACCEPTED" in ran.stdout


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
