"""The Go templates of ``--format``; the expected texts are what docker prints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend.cli.errors import CliError
from frontend.cli.template import render

VALUE: dict[str, Any] = {
    "Name": "/web",
    "Running": True,
    "Exit": 0,
    "Empty": None,
    "Env": ["A=1", "B=2"],
    "Labels": {"com.x": "y", "a": "b"},
    "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "81/tcp": None},
    "Networks": {"bridge": {"IP": "172.17.0.2"}, "back": {"IP": "10.0.0.2"}},
    "Label": lambda key: {"com.x": "y"}.get(key, ""),
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("{{.Name}} {{.Running}} {{.Exit}} {{.Empty}}", "/web true 0 <no value>"),
        ("{{.Env}} {{.Labels}}", "[A=1 B=2] map[a:b com.x:y]"),
        (
            "{{.}}",
            ("map[Empty:<no value> Env:[A=1 B=2] Exit:0 Labels:map[a:b com.x:y] Name:/web "
            "Networks:map[back:map[IP:10.0.0.2] bridge:map[IP:172.17.0.2]] "
            "Ports:map[80/tcp:[map[HostIp:0.0.0.0 HostPort:8080]] 81/tcp:<no value>] Running:true]"),
        ),
        ("{{json .}}", json.dumps({k: v for k, v in VALUE.items() if k != "Label"}, separators=(",", ":"))),
        ("{{json .Env}}", '["A=1","B=2"]'),
        ("{{json .Empty}}", "null"),
        ("{{range .Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
        ("{{range $i, $e := .Env}}{{$i}}={{$e}};{{end}}", "0=A=1;1=B=2;"),
        ("{{range $k, $v := .Networks}}{{$k}}:{{$v.IP}} {{end}}", "back:10.0.0.2 bridge:172.17.0.2 "),
        ("{{range .Empty}}x{{else}}none{{end}}", "none"),
        ('{{(index (index .Ports "80/tcp") 0).HostPort}}', "8080"),
        ('{{index .Labels "com.x"}}{{index .Labels "nope"}}', "y"),
        ('{{.Label "com.x"}}', "y"),
        ("{{if .Running}}up{{else}}down{{end}}", "up"),
        ("{{if .Exit}}bad{{else if .Running}}up{{else}}down{{end}}", "up"),
        ("{{if and .Running (eq .Exit 0)}}fine{{end}}", "fine"),
        ("{{if not .Running}}x{{end}}", ""),
        ("{{with .Networks.bridge}}{{.IP}} {{$.Name}}{{end}}", "172.17.0.2 /web"),
        ('{{join .Env ","}} {{upper .Name}} {{len .Env}}', "A=1,B=2 /WEB 2"),
        ('{{.Name | upper | json}}', '"/WEB"'),
        ('{{$n := .Name}}{{$n}}', "/web"),
        ("a {{- .Exit -}} b", "a0b"),
        ("a {{- /* a comment */ -}} b", "ab"),
        ("{{`raw`}}{{\"q\\\"\"}}{{1.5}}", 'rawq"1.5'),
        ("{{.}}", None),
    ],
)  # fmt: skip
def test_rendering(source: str, expected: str | None) -> None:
    value = VALUE if expected is not None else "dot"
    assert render(source, value) == (expected if expected is not None else "dot")


@pytest.mark.parametrize(
    "source",
    [
        "{{.Nope}}", "{{.Name.Inner}}", "{{", "{{.Name", "{{range .Env}}", "{{end}}", "{{nosuch .Name}}", "{{$x}}",
        "{{index .Env 9}}", "{{join .Env}}", "{{.Name .Name}}", "{{(.Name}}", "{{len .Exit}}", "{{if}}x{{end}}",
        '{{"\\q"}}', "{{}}", "{{print .Label}}",
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(source: str) -> None:
    with pytest.raises(CliError, match="template"):
        render(source, VALUE)


PIECES = [*"|( ).1", "{{", "}}", "{{-", "-}}", ".Name", "$x", ":=", "range", "if", "end", "else", '"s"', "json"]


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_no_template_raises_anything_else(pieces: list[str]) -> None:
    try:
        render("".join(pieces), VALUE)
    except CliError:
        return
