"""The units in deploy/: understood by systemd to the last word, hardened, and at home in an installed tree."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.daemon.running import DRAIN, READY_AFTER
from tests.cli.product import Product
from tests.daemon.service import Service, until

DEPLOY = Path(__file__).parent.parent / "deploy"
SERVICES = sorted(DEPLOY.glob("*.service"))
UNITS = sorted([*SERVICES, *DEPLOY.glob("*.timer")])
DAEMONS = [unit for unit in SERVICES if "once" not in unit.name]
PROGRAM = "/opt/reconciler/.venv/bin/reconciler"


def tool(name: str) -> str:
    """A program of systemd; CI must have it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} must be installed in CI")
        pytest.skip(f"{name} is not installed")
    return found


def settings(unit: Path) -> dict[str, list[str]]:
    """What a unit sets, by key."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = sorted(str(unit) for unit in tmp_path.iterdir())
    done = subprocess.run([tool("systemd-analyze"), "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_services_are_hardened(unit: Path) -> None:
    command = [tool("systemd-analyze"), "security", "--offline=yes", "--threshold=15", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_all_services_are_hardened_alike() -> None:
    last = [unit.read_text("utf-8").split("CapabilityBoundingSet=")[1].split("\n[Install]")[0] for unit in SERVICES]
    assert len(set(last)) == 1


@pytest.mark.parametrize("unit", DAEMONS, ids=lambda unit: unit.name)
def test_systemd_is_more_patient_than_the_daemon(unit: Path) -> None:
    found = settings(unit)
    assert found["Type"] == ["notify"]
    assert found["RestartPreventExitStatus"] == ["2 5 7"]
    assert found["TimeoutStopSec"] == ["90s"] and DRAIN + 10 <= 90
    assert found["TimeoutStartSec"] == ["10min"] and READY_AFTER < 600
    assert found["WatchdogSec"] == ["3min"]


# Installed into a tree of its own


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `deploy/install` leaves in DESTDIR. The virtual environment is this one, so that nothing is downloaded."""
    root, stubs = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("stubs")
    stub = stubs / "python3.11"
    stub.write_text(
        "#!/bin/sh\n"
        'for venv; do :; done\nmkdir -p "$venv/bin"\n'
        f'printf \'#!/bin/sh\\necho "$@" >> "{root}/pip.log"\\n\' > "$venv/bin/pip"\n'
        f'printf \'#!/bin/sh\\nexec {sys.executable} -c "from reconciler.cli import main; main()" "$@"\\n\''
        ' > "$venv/bin/reconciler"\n'
        'chmod 755 "$venv/bin/pip" "$venv/bin/reconciler"\n',
        "utf-8",
    )
    stub.chmod(0o755)
    env = {**os.environ, "DESTDIR": str(root), "PATH": f"{stubs}:{os.environ['PATH']}"}
    for _ in ("install", "upgrade"):
        subprocess.run([str(DEPLOY / "install")], env=env, check=True, cwd=root)
    return root


def test_an_install_leaves_every_unit_and_everything_that_the_units_name(tree: Path) -> None:
    installed = {path.name for path in (tree / "usr/local/lib/systemd/system").iterdir()}
    assert installed == {unit.name for unit in UNITS}
    for unit in SERVICES:
        [start] = settings(unit)["ExecStart"]
        assert os.access(tree / start.split()[0].lstrip("/"), os.X_OK)
    assert os.access(tree / "usr/local/sbin/reconciler-for", os.X_OK)
    assert (tree / "pip.log").read_text().splitlines() == 2 * [
        "install -q --require-hashes -r requirements.txt",
        "install -q --no-deps .",
    ]


def test_nothing_installed_can_be_changed_by_others(tree: Path) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tree / "usr").rglob("*")}
    assert {path for path, mode in modes.items() if mode & 0o022} == set()


def test_the_user_and_the_folders_are_made(tree: Path) -> None:
    (tree / "etc").mkdir(exist_ok=True)
    subprocess.run([tool("systemd-sysusers"), f"--root={tree}", "reconciler.conf"], check=True)
    if os.geteuid() == 0:  # only root can give folders away
        command = [tool("systemd-tmpfiles"), f"--root={tree}", "--create", "reconciler.conf"]
        subprocess.run(command, check=True, capture_output=True)
        modes = {
            str(path.relative_to(tree)): stat.S_IMODE(path.stat().st_mode)
            for path in (tree / "etc/reconciler").iterdir()
        }
        assert modes == {"etc/reconciler/conf.d": 0o750, "etc/reconciler/secrets": 0o700}
    [line] = [line for line in (tree / "etc/passwd").read_text().splitlines() if line.startswith("reconciler:")]
    assert line.split(":")[5] == "/var/lib/reconciler"


@pytest.mark.parametrize("unit", DAEMONS, ids=lambda unit: unit.name)
def test_the_installed_daemon_finds_configs_and_secrets_where_the_unit_says(
    tree: Path, tmp_path: Path, unit: Path
) -> None:
    """Starts what the unit starts, with the credentials as systemd would lay them out."""
    with Product(tmp_path) as product:
        secrets = {"crm_client_secret": product.sections["crm"].pop("client_secret")}
        secrets |= {"work_secret_key": product.sections["work"].pop("secret_key")}
        product.config = tree / "etc/reconciler/conf.d/an-phat.toml"
        product.config.parent.mkdir(parents=True, exist_ok=True)
        product.write_config(schedule={"poll": "1s"})
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        for line in settings(unit)["LoadCredential"]:
            name, _, place = line.partition(":")
            for key, secret in secrets.items():
                if place == "/etc/reconciler/secrets":
                    (credentials / f"{name}_an-phat.{key}").write_text(secret)
                elif place == f"/etc/reconciler/secrets/%i.{key}":
                    (credentials / name).write_text(secret)
        [command] = settings(unit)["ExecStart"]
        words = command.replace("%i", "an-phat").split()
        assert words[1:3] == ["run", "--config"]
        env = {"CREDENTIALS_DIRECTORY": str(credentials)}
        with Service(tree / words[3].lstrip("/"), folder=tmp_path, env=env) as service:
            task = product.task()
            until("the item", lambda: product.work.by_marker(task))
            assert service.ready().end() == 0


def test_a_command_for_a_connection_runs_as_its_daemon_does(tmp_path: Path) -> None:
    told = tmp_path / "told"
    stub = tmp_path / "systemd-run"
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\nexit 5\n', "utf-8")
    stub.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SUDO_USER": "lan"}
    command = [str(DEPLOY / "reconciler-for"), "an-phat", "pause", "--reason", "nghỉ lễ; rm -rf"]
    done = subprocess.run(command, env=env, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 5, "the command's own exit code"
    words = told.read_text("utf-8").splitlines()
    assert words[-6:] == [
        PROGRAM, "pause", "--config", "/etc/reconciler/conf.d/an-phat.toml", "--reason", "nghỉ lễ; rm -rf",
    ]  # fmt: skip
    for unit in (DEPLOY / "reconciler@.service",):
        for credential in settings(unit)["LoadCredential"]:
            assert f"--property=LoadCredential={credential.replace('%i', 'an-phat')}" in words
    assert "--property=User=reconciler" in words
    assert "--setenv=SUDO_USER=lan" in words


@pytest.mark.parametrize("words", [[], ["an-phat"], ["../x", "status"], ["a b", "status"], ["-x", "status"], ["", "x"]])
def test_a_command_for_no_connection_is_refused(words: list[str]) -> None:
    done = subprocess.run([str(DEPLOY / "reconciler-for"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "reconciler-for" in done.stderr


def test_the_instructions_name_what_there_is() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    for unit in set(re.findall(r"reconciler(?:@|-once@)?(?:an-phat)?\.(?:service|timer)", text)):
        assert (DEPLOY / unit.replace("an-phat", "")).exists(), unit
    for file in DEPLOY.iterdir():
        if file.suffix in (".service", ".timer"):
            assert file.stem.rstrip("@") in text
