"""The README's session works as pasted."""

from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path

import pypdf
from farms import SAMPLES

README = Path(__file__).parent.parent.parent / "README.md"


def session() -> str:
    [found] = re.findall(r"<!-- The tests run this session.*?-->\n```sh\n(.*?)```", README.read_text(), re.DOTALL)
    return found


def test_the_curl_session_works_as_pasted(farm, tmp_path):
    for sample in SAMPLES.glob("*.html"):
        body = {
            "name": sample.stem,
            "content": sample.read_text(),
            "sampleData": json.loads(sample.with_suffix(".json").read_text()),
            "recipe": "weasyprint-pdf",
        }
        assert farm.post("/odata/templates", body).status_code == 201
    pasted = session().replace("http://127.0.0.1:8000", farm.base)

    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=pasted,
        text=True,
        capture_output=True,
        cwd=tmp_path,
        check=False,
        timeout=90,
    )

    assert done.returncode == 0, done.stderr
    texts = {
        path.name: "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages)
        for path in tmp_path.glob("*.pdf")
    }
    assert set(texts) == {"invoice.pdf", "invoice-later.pdf", "hello.pdf", "label.pdf", "label-again.pdf", "letter.pdf"}
    assert texts["invoice.pdf"] == texts["invoice-later.pdf"]
    assert "Frau Köhler" in texts["hello.pdf"]
    assert "1,234.50" in texts["hello.pdf"]
    assert "PR-4711" in texts["label.pdf"]
    assert "PR-4712" in texts["label-again.pdf"]
    assert '"identical":true' in done.stdout
    assert texts["letter.pdf"].strip() == "Dear Frau Köhler,"
    assert '"reportName":"letter"' in done.stdout
    schedule = farm.get("/odata/schedules?$filter=name eq 'monday letter'").json()["value"]
    assert [one["cron"] for one in schedule] == ["30 7 * * MON"]
