"""The clean-up's settings in both of jsreport's forms."""

from __future__ import annotations

import pytest

from shared.exceptions import SettingsError
from shared.settings import load_settings

SEED = """
{
  "extensions": {
    "reports": {
      // how often the cleanup runs
      "cleanInterval": "5m",
      // how much old reports should be deleted
      "cleanTreshold": "1d"
    }
  }
}
"""


def configured(tmp_path, content, **environment):
    path = tmp_path / "jsreport.config.json"
    path.write_text(content)
    return load_settings({"PRESSROOM_CONFIG": str(path), **environment})


def test_by_default_reports_are_stored_for_ever():
    assert load_settings({}).reports_clean_treshold is None


@pytest.mark.parametrize("name", ["REPORTS_CLEAN_TRESHOLD", "REPORTS_CLEAN_THRESHOLD"])
def test_the_environment_takes_both_spellings(name):
    settings = load_settings({name: "1d", "REPORTS_CLEAN_INTERVAL": "90000"})

    assert (settings.reports_clean_treshold, settings.reports_clean_interval) == (86400, 90)


def test_the_file_is_read_as_jsreports_documentation_shows_it(tmp_path):
    settings = configured(tmp_path, SEED)

    assert (settings.reports_clean_treshold, settings.reports_clean_interval) == (86400, 300)


def test_the_file_takes_the_other_spelling_and_milliseconds(tmp_path):
    settings = configured(tmp_path, '{"extensions": {"reports": {"cleanThreshold": 60000}}}')

    assert settings.reports_clean_treshold == 60


def test_a_variable_wins_over_the_file(tmp_path):
    assert configured(tmp_path, SEED, REPORTS_CLEAN_THRESHOLD="2h").reports_clean_treshold == 7200


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "not JSON"),
        ("[]", "sets no object"),
        ('{"extensions": {"reports": {"cleanTresholt": "1d"}}}', "extensions.reports.cleanTresholt"),
        ('{"extensions": {"reports": {"cleanInterval": "5 fortnights"}}}', "extensions.reports.cleanInterval"),
        ('{"extensions": {"reports": {"cleanInterval": null}}}', "extensions.reports.cleanInterval"),
        ('{"extensions": {"reports": {"cleanTreshold": "1d", "cleanThreshold": "2d"}}}', "two spellings"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_place(tmp_path, content, part):
    with pytest.raises(SettingsError, match="PRESSROOM_CONFIG") as refused:
        configured(tmp_path, content)

    assert part in refused.value.message


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({"PRESSROOM_CONFIG": str(tmp_path / "none.json")})


@pytest.mark.parametrize(
    "environment",
    [
        {"REPORTS_CLEAN_TRESHOLD": "1d", "REPORTS_CLEAN_THRESHOLD": "2d"},
        {"REPORTS_CLEAN_INTERVALL": "1d"},
        {"REPORTS_CLEAN_INTERVAL": ""},
        {"REPORTS_CLEAN_INTERVAL": "soon"},
    ],
)
def test_variables_that_cannot_be_meant_are_refused(environment):
    with pytest.raises(SettingsError, match="REPORTS_CLEAN_"):
        load_settings(environment)
