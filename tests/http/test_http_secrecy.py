"""No secret and no phone number in any log line, exception, traceback or record, whatever goes wrong."""

from __future__ import annotations

import contextlib
import io
import logging
import pickle
import traceback
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import HubError
from hub.http import (
    Action,
    ApiClient,
    BodyToken,
    CallRecord,
    Draft,
    ErrorTable,
    HeaderToken,
    MemoryTokenStore,
    NewToken,
    QueryToken,
    Rule,
    SignedRequest,
    StoredToken,
    TokenCache,
    code_envelope,
)
from hub.http.auth import Auth
from hub.http.testing import (
    ScriptedPlatform,
    ScriptedReply,
    VirtualClock,
    dropped_after_send,
    dropped_before_send,
    reply,
    server_fault,
    slow,
    too_many_requests,
    truncated,
)

PHONES = st.from_regex(r"154[0-9]{8}", fullmatch=True)
# Letters, digits and what needs escaping in a URL; distinctive enough not to turn up by chance.
SECRETS = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789+/=%& ", min_size=12, max_size=40).filter(
    lambda text: text.strip() == text
)
TABLE = ErrorTable(
    [Rule(action, code=str(number)) for number, action in enumerate(Action, start=1) if action is not Action.ACCEPT],
    code_envelope("errcode", message="errmsg", trace="trace"),
)


def failures(secret: str, phone: str) -> list[ScriptedReply]:
    said = f"手机号{phone}不存在, +86 {phone}, token {secret} is invalid"
    business = [
        reply({"errcode": number, "errmsg": said, "trace": f"t-{secret}"}) for number in range(1, len(Action) + 3)
    ]
    body = {"access_token": secret, "mobile": phone}
    statuses = [reply({"errmsg": said, **body}, status=status) for status in (301, 400, 401, 403, 404, 407, 418, 429)]
    return [
        *business,
        *statuses,
        reply({"errcode": f"{phone}/{secret}", "errmsg": said}),
        too_many_requests(retry_after=1),
        server_fault(502, content=said.encode()),
        truncated(body),
        truncated(body, announced=False),
        dropped_before_send(),
        dropped_after_send(),
        slow(1000, reply(body)),
        reply(content=said.encode()),
        reply(content=b"[" + said.encode() * 4000),
    ]


def strategies(secret: str, clock: VirtualClock) -> list[Auth]:
    def sign(draft: Draft, token: str) -> Draft:
        return draft.with_param("sign", token).with_header("X-Sign", secret)

    cache = TokenCache("shop", lambda old: NewToken(secret, refresh_token=secret), MemoryTokenStore(), clock=clock)
    return [
        HeaderToken(secret),
        HeaderToken(secret, header="X-Key", prefix=""),
        QueryToken(secret),
        BodyToken(secret),
        SignedRequest(sign, token=secret, secrets=[secret]),
        QueryToken(cache),
    ]


def watched(run: object) -> str:
    """Return everything that can be seen of a run: all log lines at DEBUG, and its exception in every form."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        assert callable(run)
        run()
    except HubError as error:
        chain: BaseException | None = error
        while chain is not None:
            print(repr(chain), str(chain), chain.args, vars(chain), file=stream)
            chain = chain.__cause__ or chain.__context__
        print("".join(traceback.format_exception(error)), file=stream)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return stream.getvalue()


@settings(deadline=None)
@given(secret=SECRETS, phone=PHONES, choice=st.integers(0, 10_000), seed=st.integers())
def test_nothing_secret_or_personal_is_ever_shown(secret: str, phone: str, choice: int, seed: int) -> None:
    clock = VirtualClock()
    platform = ScriptedPlatform(clock)
    answers = failures(secret, phone)
    auths = strategies(secret, clock)
    answer = answers[choice % len(answers)]
    auth = auths[choice // len(answers) % len(auths)]
    platform.on("POST", "/*").always(answer)
    records: list[CallRecord] = []
    client = ApiClient(
        "https://api.example.com",
        name="shop",
        transport=platform,
        clock=clock,
        random=Random(seed),
        auth=auth,
        errors=TABLE,
        secrets=[secret],
        on_call=records.append,
        max_bytes=50_000,
    )

    def run() -> None:
        path = f"/customers/+86{phone}/{quote(secret, safe='')}"
        client.query(path, {"mobile": phone, "secret": secret}, params={"mobile": f"+86{phone}"})

    shown = watched(run) + repr(records) + repr(client)
    assert "shop" in shown
    for hidden in {secret, quote(secret, safe=""), quote_plus(secret), phone}:
        assert hidden not in shown


def test_secrets_do_not_show_in_the_repr_of_anything_that_holds_them() -> None:
    secret = "s3cr3t-0123456789"
    held = [
        NewToken(secret, refresh_token=secret, extra={"k": secret}),
        StoredToken(secret, refresh_token=secret, extra={"k": secret}),
        Draft("GET", "https://x.example.com/", (("access_token", secret),), {"Authorization": secret}, {"t": secret}),
        QueryToken(secret),
    ]
    assert secret not in repr(held)


def test_an_error_survives_pickling_as_between_worker_processes(client: ApiClient, platform: ScriptedPlatform) -> None:
    platform.on("GET", "/x").answers(reply(status=404))
    with pytest.raises(HubError) as caught:
        client.get("/x")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (str(copied), copied.code, copied.context) == (str(caught.value), caught.value.code, caught.value.context)


def test_the_loggers_of_the_libraries_below_stay_usable_for_others(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "httpx"), contextlib.suppress(HubError):
        logging.getLogger("httpx").info("somebody else's line")
    assert "somebody else's line" in caplog.text
