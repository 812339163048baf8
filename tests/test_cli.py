"""The command ``tfdeploy``: what it prints, for people and machines, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tfdeploy as td
from tfdeploy import cli, demo


@pytest.fixture
def digits(tmp_path):
    """The demo's network as a file, its test images and TensorFlow's logits."""
    path = str(tmp_path / "digits.tfd")
    td.convert(demo.SAVED_MODEL).save(path)
    with np.load(demo.TEST_DATA) as data:
        return path, data["images"].astype(np.float32), data["logits"]


def run(*arguments: str) -> int:
    return cli.main([str(argument) for argument in arguments])


def json_of(capsys) -> dict:
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def the_one_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("tfdeploy: ")
    return line


def test_convert_writes_a_file_and_says_what_is_in_it(tmp_path, capsys):
    path = tmp_path / "digits.tfd"
    assert run("convert", demo.SAVED_MODEL, path, "--json") == 0
    facts = json_of(capsys)
    assert facts["file"] == str(path)
    assert facts["file_bytes"] == os.path.getsize(path)
    assert facts["intact"] and facts["unknown_ops"] == []
    signature = td.Model(path).signatures["serving_default"]
    ((name, spec),) = signature.inputs.items()
    given = facts["signatures"]["serving_default"]["inputs"]
    assert given == {name: {"dtype": spec.dtype, "shape": list(spec.shape)}}
    assert facts["nodes"] == sum(facts["ops"].values()) > 5
    assert facts["ops"]["Placeholder"] == 1
    assert facts["constant_bytes"] > 4000


def test_convert_chooses_signature_inputs_and_outputs(tmp_path, capsys):
    from tests.test_semantics_04 import custom_graph

    graph = tmp_path / "graph.pb"
    definition = custom_graph("AddV2", inputs=2)
    definition.node[-1].attr["T"].type = 1
    definition.node.add(name="z", op="Neg", input=["y"]).attr["T"].type = 1
    definition.node.add(name="other", op="NoSuchOp", input=["y"])
    graph.write_bytes(definition.SerializeToString())
    target = tmp_path / "cut.tfd"
    assert run("convert", graph, target, "--inputs", "y", "--outputs", "z", "--json") == 0
    assert list(json_of(capsys)["signatures"]["default"]["inputs"]) == ["y"]
    assert_array_equal(td.Model(target)([1.0]), [-1])

    assert run("convert", graph, target, "--outputs", "z,y:0") == 0
    assert "output z: float32[...]" in capsys.readouterr().out
    assert run("convert", demo.SAVED_MODEL, target, "--signature", "serving_default") == 0
    assert run("convert", demo.SAVED_MODEL, target, "--signature", "servin_default") == 1
    assert "serving_default" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_convert_without_outputs_says_what_it_took(tmp_path, capsys):
    from tests.test_semantics_04 import custom_graph

    graph = tmp_path / "graph.pb"
    definition = custom_graph("Neg")
    definition.node[-1].attr["T"].type = 1
    graph.write_bytes(definition.SerializeToString())
    assert run("convert", graph, tmp_path / "out.tfd") == 0
    assert "sinks y" in capsys.readouterr().err


def test_inspect(digits, capsys):
    path, _, _ = digits
    assert run("inspect", path, "--json") == 0
    facts = json_of(capsys)
    assert run("inspect", path) == 0
    text = capsys.readouterr().out
    assert "signature serving_default" in text and "intact" in text
    for op, count in facts["ops"].items():
        assert f"{count:6} {op}\n" in text + "\n"
    assert td.Model(path).summary() in text


def test_inspect_tells_damaged_weights(digits, capsys):
    path, _, _ = digits
    with open(path, "r+b") as file:
        file.seek(-5, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-5, os.SEEK_END)
        file.write(bytes([byte ^ 1]))
    assert run("inspect", path, "--json") == 0
    assert json_of(capsys)["intact"] is False
    run("inspect", path)
    assert "DAMAGED" in capsys.readouterr().out


def test_run(digits, tmp_path, capsys):
    path, images, logits = digits
    name = next(iter(td.Model(path).signatures["serving_default"].inputs))
    np.savez(tmp_path / "x.npz", **{name: images})
    arguments = ["run", path, "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz"]
    assert run(*arguments, "--json") == 0
    facts = json_of(capsys)
    ((key, result),) = facts["results"].items()
    assert result == {"dtype": "float32", "shape": list(logits.shape)}
    with np.load(tmp_path / "y.npz") as data:
        assert_allclose(data[key], logits, atol=1e-5 * np.abs(logits).max())
    assert run(*arguments, "--signature", "serving_default") == 0
    assert f"{key}: float32{list(logits.shape)}" in capsys.readouterr().out
    assert run(*arguments, "--signature", "serving") == 1
    assert "near: serve, serving_default" in the_one_line(capsys)


def test_run_with_wrong_inputs_leaves_no_output(digits, tmp_path, capsys):
    path, images, _ = digits
    name = next(iter(td.Model(path).signatures["serving_default"].inputs))
    for arrays, said in [
        ({"wrong": images}, "wrong"),
        ({name: images[..., :3, :]}, "shape"),
        ({name: images.astype("S")}, "dtype|float32"),
        ({}, name),
    ]:
        np.savez(tmp_path / "x.npz", **arrays)
        output = tmp_path / "y.npz"
        assert run("run", path, "--input", tmp_path / "x.npz", "--output", output) == 1
        line = the_one_line(capsys)
        assert any(each in line for each in said.split("|")), line
        assert sorted(os.listdir(tmp_path)) == ["digits.tfd", "x.npz"]


def test_run_executes_nothing_of_its_input(digits, tmp_path, capsys):
    path, _, _ = digits
    np.savez(tmp_path / "x.npz", x=np.array([{"a": 1}], object))
    assert run("run", path, "--input", tmp_path / "x.npz", "--output", tmp_path / "y") == 1
    assert "x.npz" in the_one_line(capsys)
    (tmp_path / "x.npz").write_bytes(b"PK\3\4 no zip file")
    assert run("run", path, "--input", tmp_path / "x.npz", "--output", tmp_path / "y") == 1
    assert "x.npz" in the_one_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inspect", "{tmp}/nothing.tfd"], "nothing.tfd"),
        (["inspect", "{tmp}"], "tfdeploy.convert"),
        (["inspect", "{demo}/saved_model.pb"], "not a tfdeploy file"),
        (["convert", "{tmp}/nothing", "{tmp}/x.tfd"], "no such file"),
        (["convert", "{demo}", "{tmp}/no/folder/x.tfd"], "{tmp}/no/folder/x.tfd"),
        (["convert", "{demo}", "{tmp}/x.tfd", "--outputs", "nothing"], "nothing"),
        (["convert", "{digits}", "{tmp}/x.tfd"], "tfdeploy file already"),
        (["run", "{digits}", "--input", "{tmp}/none.npz", "--output", "{tmp}/y"], "none.npz"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(digits, tmp_path, capsys, arguments, said):
    places = {"tmp": tmp_path, "demo": demo.SAVED_MODEL, "digits": digits[0]}
    assert run(*(a.format(**places) for a in arguments)) == 1
    assert said.format(**places) in the_one_line(capsys)
    assert os.listdir(tmp_path) == ["digits.tfd"]


@pytest.mark.parametrize(
    "arguments", [[], ["no-such-command"], ["convert"], ["run", "x.tfd"], ["config", "extra"]]
)
def test_a_wrong_command_line_is_exit_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage: tfdeploy" in capsys.readouterr().err


def test_help_and_version(capsys):
    for arguments, said in [(["--help"], "inspect"), (["--version"], td.__version__)]:
        with pytest.raises(SystemExit) as caught:
            run(*arguments)
        assert caught.value.code == 0
        assert said in capsys.readouterr().out


def test_config_and_demo(capsys):
    assert run("config", "--json") == 0
    facts = json_of(capsys)
    assert facts["tfdeploy"] == td.__version__
    assert "TFDEPLOY_PURE" in facts["switches"]
    assert run("config") == 0
    text = capsys.readouterr().out
    td.show_config()
    assert capsys.readouterr().out == text
    assert run("demo", "--json") == 0
    assert json_of(capsys)["ok"] is True


def test_it_runs_as_a_module_without_tensorflow(digits):
    code = (
        "import sys, tfdeploy.cli as c\n"
        "code = c.main(sys.argv[1:])\n"
        "assert not {'tensorflow', 'keras', 'scipy', 'google.protobuf'} & set(sys.modules)\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "inspect", digits[0], "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["intact"]


def test_a_closed_pipe_is_no_traceback(digits):
    command = f"{sys.executable} -m tfdeploy inspect {digits[0]} | head -c 10"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert len(result.stdout) == 10
    assert "Traceback" not in result.stderr
