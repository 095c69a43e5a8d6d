"""Secrets do not reach logs or MLflow."""

from __future__ import annotations

from leaflab.door.masking import masked, masked_override


def test_hides_secrets_by_name_and_in_urls() -> None:
    plain = {
        "source": {"url": "postgresql+psycopg://u:p@ss@h/db", "api_key": "k", "topics": ["mqtt://a:b@c/#"]},
        "n": 1,
    }
    hidden = masked(plain)
    assert hidden["source"]["api_key"] == "***"
    assert hidden["n"] == 1
    assert "b@c" not in str(hidden["source"]["topics"]).replace("***@c", "")
    assert ":p@ss" not in str(hidden)


def test_keeps_references_to_the_environment_as_written() -> None:
    assert masked({"password": "${oc.env:DB_PASSWORD}"}) == {"password": "${oc.env:DB_PASSWORD}"}


def test_hides_secrets_of_overrides() -> None:
    assert masked_override("tracking.uri=http://me:pw@host") == "tracking.uri=http://me:***@host"
