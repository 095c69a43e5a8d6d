"""What a researcher sees in MLflow's UI, in a real browser, on real sweeps."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from leaflab.commands.ui import opening

pytestmark = pytest.mark.slow


def experiment_id(project):
    from leaflab.tracking.tables import connected

    connection = connected(project.folder / "mlflow.db")
    found = connection.execute("SELECT experiment_id FROM experiments WHERE name = 'faults'").fetchone()[0]
    connection.close()
    return found


def test_the_experiment_opens_on_runs_and_models(page, site, project, shot):
    page.goto(f"{site}{opening(project.tracking.uri)}")
    page.get_by_text("sweep faults").first.wait_for()
    assert f"/experiments/{experiment_id(project)}/runs" in page.url
    page.get_by_role("link", name="Models").first.click()
    page.get_by_text("model", exact=True).first.wait_for()
    shot(page, "runs")


def test_the_sweeps_note_answers(page, site, project, shot):
    page.goto(f"{site}/#/experiments/{experiment_id(project)}/runs/{project.sweeps[0]}?workflowType=machine_learning")
    page.get_by_text("Best parameters").wait_for()
    for text in ("Best", "baseline dummy", "Searched", "Data", "leaflab sweep"):
        assert page.get_by_text(text).first.is_visible(), text
    shot(page, "note")


def test_the_report_draws_inside_the_ui(page, site, project, shot):
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(
        f"{site}/#/experiments/{experiment_id(project)}/runs/{project.sweeps[0]}/artifacts/report.html?workflowType=machine_learning"
    )
    frame = page.frame_locator("iframe").first
    frame.locator("body[data-drawn=yes]").wait_for()
    assert frame.get_by_text("Parallel coordinates").is_visible()
    inked = frame.locator("#history").evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 0)"
    )
    assert inked
    frame.locator("#best tbody tr").nth(1).click()
    assert frame.locator("#best tbody tr.on").count() == 1
    assert problems == []
    shot(page, "report")


def test_trials_sort_by_metric(page, site, project, shot):
    order = quote("metrics.`valid/log_loss`")
    only = quote("tags.`leaflab.verb` = 'trial'")
    page.goto(
        f"{site}/#/experiments/{experiment_id(project)}/runs"
        f"?workflowType=machine_learning&searchFilter={only}&orderByKey={order}&orderByAsc=true"
    )
    page.get_by_text("40 matching runs").wait_for()
    trials = project.tracking.search("faults", {"leaflab.verb": "trial"})
    best = sorted(trials, key=lambda t: t.metrics["valid/log_loss"])[:3]
    shown = [t for t in page.get_by_role("link").all_inner_texts() if t.startswith("trial ")]
    assert shown[:3] == [t.name for t in best]
    shot(page, "trials")


def test_two_sweeps_compare(page, site, project, shot):
    runs = quote(str(project.sweeps).replace("'", '"'))
    experiments = quote(f'["{experiment_id(project)}"]')
    page.goto(f"{site}/#/compare-runs?runs={runs}&experiments={experiments}&workflowType=machine_learning")
    page.get_by_text("Comparing 2 Runs").wait_for()
    body = page.locator("body").inner_text()
    assert "valid/log_loss" in body
    assert "learning_rate" in body
    shot(page, "compare")


def test_the_registered_model_shows_versions_and_aliases(page, site, project, shot):
    page.goto(f"{site}/#/models/faults?workflowType=machine_learning")
    page.get_by_text("@\xa0champion").first.wait_for()
    body = page.locator("body").inner_text()
    assert "@\xa0challenger" in body
    assert "Version 1" in body
    assert "Version 2" in body
    shot(page, "model")
