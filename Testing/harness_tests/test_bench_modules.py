"""What `Scripts/bench modules` says of each module: its own tests, its part of shared ones, whether it is quick."""

from __future__ import annotations

from pathlib import Path

from Scripts._bench_modules import LIMIT, SHARED, modules, rows, seconds_of

TOLD = """<testsuites><testsuite name="pytest">
<testcase classname="Testing.modules.test_medai" name="test_it" time="1.5" />
<testcase classname="Testing.modules.test_medai_runs" name="test_it[a-b]" time="2.0" />
<testcase classname="Testing.modules.test_medaibatch" name="test_it" time="20.5" />
<testcase classname="Testing.modules.test_every_task" name="test_it[MedAIBatch]" time="0.5" />
<testcase classname="Testing.modules.test_every_module" name="test_it[100-dark-MedAI]" time="0.25" />
<testcase classname="Testing.modules.test_settings_page" name="test_it" time="3.0" />
<testcase classname="Testing.modules.test_dicommedaiplugin" name="test_it" time="4.0" />
</testsuite></testsuites>"""


def test_each_test_counts_for_the_module_that_it_is_of(tmp_path: Path) -> None:
    (tmp_path / "told.xml").write_text(TOLD)
    found = seconds_of(tmp_path / "told.xml", modules())
    assert found == {
        "MedAI": [1.5, 2.0, 0.25],
        "MedAIBatch": [20.5, 0.5],
        "DICOMMedAIPlugin": [4.0],
        SHARED: [3.0],
    }


def test_what_takes_too_long_is_called_missed_with_its_value() -> None:
    told = {line.split()[0]: line for line in rows({"MedAI": [LIMIT, 0.0], "MedAIBatch": [LIMIT, 1.0], SHARED: [90.0]})}
    assert told["MedAI"].endswith("met")
    assert told["MedAIBatch"].endswith("MISSED (21.0 s)")
    assert told["of"].endswith("90.0")
    assert told["all"].split() == ["all", "5", "131.0"]
