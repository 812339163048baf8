"""Switches, thread counts and what `tfdeploy config` tells."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfdeploy
from tfdeploy import config
from tfdeploy.errors import ConfigError, TfdeployError

PACKAGE = Path(tfdeploy.__file__).parent


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """No switch set, and the thread count as after an import."""
    for switch in config.SWITCHES:
        if switch is not config.PURE:
            monkeypatch.delenv(switch.name, raising=False)
    monkeypatch.setattr(config, "_num_threads", None)


@pytest.mark.parametrize(
    ("switch", "text", "value"),
    [
        (config.REFUSE_SCIPY, "1", True),
        (config.REFUSE_SCIPY, "True", True),
        (config.REFUSE_SCIPY, "0", False),
        (config.REFUSE_SCIPY, "off", False),
        (config.REFUSE_SCIPY, " ", False),
        (config.NUM_THREADS, "3", 3),
        (config.NUM_THREADS, "", None),
        (config.OMP_NUM_THREADS, "4,2", 4),
        (config.OMP_NUM_THREADS, "many", None),
        (config.ISA, "avx2", "avx2"),
    ],
)
def test_a_switch_reads_its_text(monkeypatch, switch, text, value):
    monkeypatch.setenv(switch.name, text)
    assert switch.read() == value


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_wrong_value_is_an_error_that_says_what_was_expected(monkeypatch, text):
    monkeypatch.setenv("TFDEPLOY_NUM_THREADS", text)
    message = f"TFDEPLOY_NUM_THREADS={text}: expected a number of at least 1"
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        config.get_num_threads()
    assert isinstance(caught.value, TfdeployError)


def test_every_switch_is_declared_once_and_read_nowhere_else():
    readers = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\benviron\b|\bgetenv\b", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["config.py"]
    names = [switch.name for switch in config.SWITCHES]
    assert len(set(names)) == len(names)
    source = (PACKAGE / "config.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"((?:TFDEPLOY|TD|OMP)_[A-Z_]+)"', source)) == set(names)


def test_our_own_thread_switch_wins(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert config.default_num_threads() == 5
    monkeypatch.setenv("TFDEPLOY_NUM_THREADS", "7")
    assert config.default_num_threads() == 7


def test_threads_follow_affinity_and_quota(monkeypatch):
    if sys.platform != "linux":
        pytest.skip("affinity and cgroups are Linux's")
    monkeypatch.setattr(config.os, "sched_getaffinity", lambda _: set(range(6)))
    for quota, threads in [(math.inf, 6), (2.9, 2), (0.5, 1), (64, 6)]:
        monkeypatch.setattr(config, "cpu_quota", lambda quota=quota: quota)
        assert config.default_num_threads() == threads


def test_set_num_threads():
    default = config.get_num_threads()
    config.set_num_threads(3)
    assert config.get_num_threads() == 3
    config.set_num_threads(None)
    assert config.get_num_threads() == default
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(ConfigError):
            config.set_num_threads(wrong)


V1 = ("cpu.cfs_quota_us", "cpu.cfs_period_us")


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        pytest.param("0::/\n", {}, math.inf, id="no files"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, math.inf, id="v2 without limit"),
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5, id="v2 seen as root"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "200000 50000"}, 4, id="v2 nested"),
        pytest.param(
            "0::/a/b\n",
            {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"},
            1,
            id="v2 limit above",
        ),
        pytest.param("0::/host/path\n", {"cpu.max": "300000 100000"}, 3, id="v2 path not visible"),
        pytest.param(
            "3:memory:/m\n2:cpu,cpuacct:/docker/x\n0::/\n",
            {f"cpu,cpuacct/{V1[0]}": "250000\n", f"cpu,cpuacct/{V1[1]}": "100000\n"},
            2.5,
            id="v1 in a container",
        ),
        pytest.param(
            "1:cpu:/job\n",
            {f"cpu/job/{V1[0]}": "50000", f"cpu/job/{V1[1]}": "100000"},
            0.5,
            id="v1 nested",
        ),
        pytest.param(
            "1:cpu:/\n", {f"cpu/{V1[0]}": "-1", f"cpu/{V1[1]}": "100000"}, math.inf, id="v1 none"
        ),
    ],
)
def test_cpu_quota(tmp_path, membership, files, quota):
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert config.cpu_quota(str(tmp_path / "membership"), str(tmp_path / "root")) == quota


def test_no_control_groups_mean_no_quota(tmp_path):
    assert config.cpu_quota(str(tmp_path / "absent"), str(tmp_path)) == math.inf


def test_scipy_can_be_refused(monkeypatch):
    pytest.importorskip("scipy", reason="an extra of the package, not a requirement")
    assert config.has_scipy()
    monkeypatch.setenv("TD_REFUSE_SCIPY", "1")
    assert not config.has_scipy()


def test_as_dict_is_json_and_names_the_engine():
    facts = json.loads(json.dumps(config.as_dict()))
    assert set(facts["switches"]) == {switch.name for switch in config.SWITCHES}
    if facts["engine"] == "compiled":
        assert facts["isa"] in facts["available_isas"]
        assert facts["why_pure"] == ""
    else:
        assert facts["isa"] is None
        assert facts["why_pure"]


def test_show_config_prints_every_switch_and_the_engine(capsys):
    config.show_config()
    text = capsys.readouterr().out
    for switch in config.SWITCHES:
        assert switch.name in text
        assert switch.sentence in text
    assert config.engine_name() in text


def test_importing_config_is_cheap():
    """Beyond what numpy itself imports, nothing that takes its time."""
    code = (
        "import sys, numpy; before = set(sys.modules); import tfdeploy.config\n"
        "print(*set(sys.modules) - before)"
    )
    modules = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "tfdeploy.config" in modules
    slow = {"platform", "subprocess", "pathlib", "hashlib", "concurrent.futures", "scipy"}
    assert not slow & set(modules)
