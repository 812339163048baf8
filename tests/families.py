"""Writes the tables of `tfdeploy/ops/families.py` from what the families register.

python -m tests.families
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from textwrap import wrap

from tfdeploy.ops import families, registry

FILE = Path(families.__file__)


def tables() -> dict[str, dict[str, str]]:
    """The tables by name, as they should be."""
    for module in iter_modules([str(FILE.parent)]):
        import_module(f"tfdeploy.ops.{module.name}")
    homes: dict[str, list[str]] = {}
    effects: dict[str, list[str]] = {}
    for name, record in sorted(registry._records.items()):
        if record.user:
            continue
        homes.setdefault(record.family, []).append(name)
        if record.effect != registry.PURE:
            effects.setdefault(record.effect, []).append(name)
    found = {"FAMILIES": homes, "EFFECTS": effects}
    return {t: {k: " ".join(v) for k, v in sorted(rows.items())} for t, rows in found.items()}


def _source(rows: dict[str, str]) -> str:
    lines = ["{"]
    for key, names in rows.items():
        lines += [f'    "{key}": """', *(" " * 8 + line for line in wrap(names, 90)), '    """,']
    return "\n".join([*lines, "}"])


def main() -> None:
    """Puts the tables in the place of those that are there."""
    text = FILE.read_text()
    for name, rows in tables().items():
        start = f"{name}: dict[str, str] = "
        before, _, after = text.partition(start)
        text = before + start + _source(rows) + after.partition("\n}")[2]
    FILE.write_text(text)


if __name__ == "__main__":
    main()
