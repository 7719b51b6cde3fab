"""Values that JSON can write and nothing can use are refused with the field's name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.bodies import ReportsBody
from api.schedules import ChangedScheduleBody, NewScheduleBody
from api.template_bodies import ParameterBody

HUGE = "1" + "0" * 400
SCHEDULE = '"name": "s", "cron": "* * * * *", "templateShortid": "t"'


def places(shape, text):
    with pytest.raises(ValidationError) as caught:
        shape.model_validate_json(text)
    return [error["loc"] for error in caught.value.errors()]


def test_a_duration_of_hundreds_of_digits_is_refused():
    assert places(ReportsBody, f'{{"save": true, "expiresIn": {HUGE}}}') == [("expiresIn",)]


def test_a_number_of_hundreds_of_digits_is_a_number():
    body = ParameterBody.model_validate_json(f'{{"name": "n", "type": "number", "default": {HUGE}}}')

    assert body.default == int(HUGE)


@pytest.mark.parametrize("data", ['{"a": NaN}', '{"a": [-Infinity]}', '"{\\"a\\": NaN}"'])
def test_a_schedule_s_data_is_json_that_its_readers_understand(data):
    assert places(NewScheduleBody, f'{{{SCHEDULE}, "data": {data}}}') == [("data",)]
    assert places(ChangedScheduleBody, f'{{"data": {data}}}') == [("data",)]
