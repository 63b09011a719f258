"""Mail and chat by settings: a bad one is one line, and never shows a password."""

import pytest

from adapters.notification_settings import chat_bots, smtp_server
from adapters.notifying import channels
from adapters.settings import Settings, StartupError

SECRET = "t0p-s3cret"
SENDER = "线索 <leads@example.com>"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 587, None, None, False, None)),
        (
            "smtp://u%40a.cn:p%2Fw@m.cn:25?starttls=required",
            ("m.cn", 25, "u@a.cn", "p/w", False, True),
        ),
        ("smtp://127.0.0.1:2525?starttls=never", ("127.0.0.1", 2525, None, None, False, False)),
        ("smtps://u:p@m.cn", ("m.cn", 465, "u", "p", True, False)),
    ],
)
def test_a_mail_server(url: str, expected: tuple[object, ...]) -> None:
    assert tuple(smtp_server(url)) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp", f"http://u:{SECRET}@m.cn"),
        ("smtp", f"smtp://u:{SECRET}@m.cn?starttls=perhaps"),
        ("smtp", f"smtp://u:{SECRET}@m.cn?password=x"),
        ("smtp", f"smtp://u:{SECRET}@m.cn:port"),
        ("smtp", SECRET),
        ("chat", f"ftp://{SECRET}"),
        ("chat", f'{{"east": "{SECRET}"}}'),
        ("chat", f'{{"east": "{SECRET}'),
        ("smtp_sender", f"nobody {SECRET}"),
        ("smtp_sender", f"leads@example.com\nBcc: {SECRET}@a.cn"),
    ],
)
def test_a_bad_setting_names_itself_and_nothing_secret(name: str, value: str) -> None:
    with pytest.raises(StartupError) as error:
        Settings.load(**{name: value})
    assert str(error.value).startswith(f"LEADLOG_{name.upper()}: ")
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_server_needs_a_sender() -> None:
    with pytest.raises(StartupError, match="LEADLOG_SMTP_SENDER: needed where LEADLOG_SMTP is set"):
        Settings.load(smtp="smtp://m.cn")


def test_no_setting_shows_its_secret() -> None:
    settings = Settings.load(
        smtp=f"smtp://u:{SECRET}@m.cn", smtp_sender=SENDER, chat=f"wecombot://{SECRET}"
    )
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


def test_the_channels_are_those_that_are_set() -> None:
    assert channels(Settings.load()) == {}
    mail = Settings.load(smtp="smtp://m.cn", smtp_sender=SENDER)
    assert channels(mail).keys() == {"email"}
    bots = Settings.load(chat="wecombot://BOTKEY-0123456789")
    assert channels(bots).keys() == {"chat"}


def test_a_bot_for_each_team() -> None:
    text = '{"华东一组": "dingtalk://TOKEN", "": "feishu://TOKEN"}'
    assert chat_bots(text) == {"华东一组": "dingtalk://TOKEN", "": "feishu://TOKEN"}
    assert chat_bots("wecombot://KEY") == {"": "wecombot://KEY"}


def test_a_bot_whose_url_lacks_something_stops_the_start() -> None:
    with pytest.raises(StartupError, match="LEADLOG_CHAT: a bot's URL lacks something"):
        channels(Settings.load(chat="dingtalk://"))
