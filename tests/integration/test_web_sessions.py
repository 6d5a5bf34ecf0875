"""Logging in to the web UI with an API key, and what a session may do."""

import re

import pytest

from ocrqueue.web.keys import Keys, Right
from ocrqueue.web.sessions import COOKIE
from tests.support import numbered
from tests.support.harness import running
from tests.support.sse import events
from tests.support.web import new_key, start_web


@pytest.fixture(scope="module")
def web():
    with running() as stack:
        yield start_web(stack)


@pytest.fixture(scope="module")
def key(web):
    return new_key(web.stack, "people")


def log_in(browser, key, to="/login"):
    return browser.post("/login", data={"key": key, "to": to})


def test_a_session_begins_with_a_key_and_its_cookie_is_no_key(web, key):
    with web.client() as browser:
        answer = log_in(browser, key)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
        cookie = answer.headers["Set-Cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert key not in cookie
        assert key not in str(web.stack.redis.keys("*"))


def test_a_wrong_key_is_refused_with_a_page(web, key):
    with web.client() as browser:
        answer = log_in(browser, key[:-1])
        assert answer.status_code == 401
        assert "wrong" in answer.text
        assert "Set-Cookie" not in answer.headers


def test_a_page_says_whose_key_is_logged_in_and_leads_nowhere_before(web, key):
    with web.client() as browser:
        outside = browser.get("/login").text
        assert "<nav" not in outside
        assert "/logout" not in outside
        log_in(browser, key)
        for path, status in {"/": 200, "/models": 403, "/jobs/unknown": 404}.items():
            inside = browser.get(path)
            assert inside.status_code == status
            assert 'title="Logged in with the API key people">people</span>' in inside.text
            assert inside.text.count("<nav") == inside.text.count("/logout") == 1
        browser.post("/logout")
        assert browser.get("/login").text == outside


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\nb"])
def test_the_log_in_leads_to_no_other_site(web, key, to):
    with web.client() as browser:
        assert log_in(browser, key, to).headers["Location"] == "/"
        assert browser.get("/language/de", params={"to": to}).headers["Location"] == "/"


def test_a_page_is_escaped_and_allows_no_foreign_or_inline_script(web):
    with web.client() as browser:
        answer = browser.get("/login", params={"to": '/"><script>alert(1)</script>'})
        assert "<script>alert" not in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy


def test_a_page_has_the_language_of_the_browser_or_the_chosen_one(web):
    with web.client() as browser:
        assert '<html lang="de">' in browser.get("/login", headers={"Accept-Language": "fr, de-AT;q=0.8"}).text
        assert '<html lang="en">' in browser.get("/login", headers={"Accept-Language": "fr"}).text
        browser.get("/language/de")
        assert '<html lang="de">' in browser.get("/login", headers={"Accept-Language": "en"}).text


def test_a_session_ends_with_its_key_and_with_logging_out(web):
    secret = new_key(web.stack, "guest")
    with web.client() as browser:
        log_in(browser, secret)
        assert browser.cookies.get(COOKIE)
        token = re.search(r'name="change-token" content="(\w+)"', browser.get("/login").text)
        assert token
        assert browser.post("/logout").status_code == 303
        assert not browser.cookies.get(COOKIE)
    Keys(web.stack.folder / "data" / "api-keys.json").revoke("guest")
    with web.client() as browser:
        assert log_in(browser, secret).status_code == 401


def test_a_new_key_with_the_same_name_does_not_bring_a_session_back(web):
    old = new_key(web.stack, "leaked")
    with web.client() as browser:
        log_in(browser, old)
        assert browser.get("/api/v1/stats").status_code == 200
        Keys(web.stack.folder / "data" / "api-keys.json").revoke("leaked")
        new_key(web.stack, "leaked")
        assert browser.get("/api/v1/stats").status_code == 401


def test_a_stream_of_events_ends_when_its_key_is_revoked(web):
    (web.stack.folder / "data" / "spool").mkdir(exist_ok=True)  # as a worker does
    job = web.stack.client().submit(numbered.document(1, salt=41))  # nobody reads it
    secret = new_key(web.stack, "overseer", Right.READ_ALL)
    with web.client(secret) as client, client.stream("GET", f"/api/v1/jobs/{job.id}/events", timeout=60) as answer:
        found = events(answer)
        assert next(found).kind == "job"
        Keys(web.stack.folder / "data" / "api-keys.json").revoke("overseer")
        assert list(found) == []


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_other_sites_log_nobody_in_or_out(web, key, path):
    with web.client() as browser:
        answer = browser.post(path, data={"key": key}, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=b; charset=raw_unicode_escape", b"--b\r\n", 401),
        ("application/x-www-form-urlencoded", b"key=%ED%A0%80", 401),
        ("application/x-www-form-urlencoded", b"key=" + b"a" * 100_000, 413),
    ],
)
def test_a_log_in_of_any_form_is_answered(web, key, kind, body, status):
    with web.client() as browser:
        assert browser.post("/login", content=body, headers={"Content-Type": kind}).status_code == status
