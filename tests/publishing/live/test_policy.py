import json

import pytest

from dlcourse.publishing import PublishingError, hosting
from dlcourse.publishing.live import policy

# By `openssl dgst -sha256 -binary | base64`.
ALERT = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
PAGE = """<script>alert(1)</script>
<script src="a.js"></script>
<script type="application/json">{"not": "run"}</script>
<button onclick="go(&quot;on&quot;)">Go</button>"""


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "html"
    folder.mkdir()
    (folder / "index.html").write_text(PAGE)
    return folder


def rules(site):
    parts = (rule.split(" ", 1) for rule in policy.policy(site).split("; "))
    return {name: sources.split() for name, sources in parts}


def test_inline_scripts_are_named_by_their_hash(site):
    found = rules(site)["script-src"]
    assert found[:3] == ["'self'", "'wasm-unsafe-eval'", ALERT]
    assert found[3] == "'unsafe-hashes'"
    assert found[4] == policy._source('go("on")')
    assert len(found) == 5
    assert "'unsafe-inline'" not in found


def test_only_the_site_is_asked(site):
    found = rules(site)
    assert found["default-src"] == found["connect-src"] == ["'self'"]
    assert found["object-src"] == ["'none'"]


def test_site_without_pyodide_may_ask_its_distribution(site):
    manifest = site / "_static" / "live" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"core": "https://cdn.example/pyodide/"}))
    found = rules(site)
    assert found["connect-src"] == ["'self'", "https://cdn.example"]
    assert "blob:" in found["script-src"]


def test_nginx_is_told_the_policy(site):
    assert f'add_header Content-Security-Policy "{policy.policy(site)}" always;' in policy.nginx(site)


def test_copy_for_a_host(site, tmp_path):
    (site / ".buildinfo").touch()
    target = hosting.export(site, tmp_path / "public")
    assert sorted(path.name for path in target.iterdir()) == [".nojekyll", "_headers", "index.html"]
    assert policy.policy(site) in (target / "_headers").read_text()
    (site / "new.html").write_text("")
    (target / "old.html").write_text("")
    hosting.export(site, target)
    assert (target / "new.html").is_file()
    assert not (target / "old.html").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html", "public"]


def test_copy_replaces_nothing_else(site, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(PublishingError, match="mine holds other files: name a folder that is empty"):
        hosting.export(site, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"
