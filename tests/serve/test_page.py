"""The page, as it is rendered and as a browser shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leaflab.scorer import Column, Encoder, Feature
from leaflab.serve.live import Live
from leaflab.serve.page import Shown, page, values_of
from leaflab.values import Version

from .conftest import Shelf

EXAMPLE = {"a": [1, 2], "b": [0.5, None]}


def rendered(scorer, **shown):
    live = Live(Version("toy", 3, "run", "models:/m-3"), scorer, EXAMPLE)
    return page(Shown("toy", live, **shown)).decode()


def test_the_form_is_made_from_the_columns_and_filled_with_the_example(toys):
    text = rendered(toys.constant())
    assert 'name="c0" value="1" inputmode="decimal"' in text and 'name="c1" value="0.5"' in text
    assert "number, optional" in text and '<b id="version">3</b>' in text and "Healthy." in text


def test_nothing_of_a_name_or_value_is_markup(toys):
    hostile = '<script>alert("1")</script>'
    column = Column(hostile, "category")
    feature = Feature("f", hostile, "codes", {"levels": [hostile]}, categorical=True)
    text = rendered(
        replace(toys.constant(), columns=(column,), encoder=Encoder((feature,))), form={"c0": hostile}, problem=hostile
    )
    assert "<script" not in text and text.count("&lt;script&gt;") == 4


def test_an_empty_field_is_a_missing_value(toys):
    live = Live(Version("toy", 3, "run", "models:/m-3"), toys.constant(), {})
    assert values_of(live, {"c0": "1", "c1": ""}) == {"a": ["1"], "b": [None]}


def test_without_a_model_it_says_why():
    text = page(Shown("toy", None, "'toy' has no champion yet.")).decode()
    assert "has no champion yet" in text and "hidden>" in text


@pytest.mark.slow
def test_a_person_tries_the_model(started, toys, browser):
    server = started(Shelf({1: toys.boosted()}, {"champion": 1}, {1: EXAMPLE}))
    sheet = browser.new_page()
    complaints, asked = [], []
    sheet.on("console", lambda message: complaints.append(message.text))
    sheet.on("pageerror", lambda error: complaints.append(str(error)))
    sheet.goto(f"http://127.0.0.1:{server.port}/")
    assert sheet.title() == "toy · leaflab"
    assert sheet.inner_text("#health") == "Healthy."
    assert sheet.get_by_label("a number", exact=True).input_value() == "1"
    sheet.get_by_label("a number", exact=True).fill("2.5")
    sheet.get_by_role("button", name="Predict").click()
    wanted = server.predict({"a": 2.5, "b": 0.5}, query="?proba=true&explain=true").body["rows"][0]
    assert sheet.inner_text("output") == wanted["prediction"]
    assert f"{wanted['probabilities']['yes']:.1%}" in sheet.inner_text("#probabilities")
    bars = sheet.locator("#contributions i")
    assert bars.count() == 2
    widths = [bars.nth(i).bounding_box()["width"] for i in range(2)]
    assert widths[0] >= widths[1] and widths[0] > 50
    assert sheet.get_by_label("a number", exact=True).input_value() == "2.5"
    sheet.get_by_label("a number", exact=True).fill("much")
    sheet.get_by_role("button", name="Predict").click()
    assert "Column 'a' must hold finite numbers, got 'much'" in sheet.get_by_role("alert").inner_text()
    sheet.on("request", lambda request: asked.append(request.url))
    sheet.get_by_role("link", name="API").click()
    assert "POST /predict" in sheet.inner_text("body")
    assert asked == [f"http://127.0.0.1:{server.port}/docs"] and complaints == []
