"""Under uvicorn only .streamlit/config.toml counts, so its values are held here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

WANTED = {
    "runner.postScriptGC": False,
    "runner.magicEnabled": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "client.disableDataExport": True,
    "browser.gatherUsageStats": False,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": 10,
    "server.maxMessageSize": 20,
    "server.allowedHosts": [],
    "server.enableAgentApi": False,
    "server.enableStaticServing": False,
    "server.enableXsrfProtection": True,
    "server.enableCORS": True,
    "server.trustedUserHeaders": {"X-Desk-Session": "session_row"},
}


@pytest.fixture(scope="module")
def settings_in_force():
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import json, sys; from streamlit import config;"
                "print(json.dumps({name: config.get_option(name) for name in sys.argv[1:]}))"
            ),
            *WANTED,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", WANTED)
def test_streamlit_runs_with_our_setting(settings_in_force, name):
    assert settings_in_force[name] == WANTED[name]
