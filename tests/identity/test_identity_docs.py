"""The guide's example runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "identity.md"


def test_the_examples_of_the_guide_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    space: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(GUIDE), "exec"), space)
