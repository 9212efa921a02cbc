"""The page on which somebody of the demo says who they are.

Rule: plain HTML without script, so that it works wherever a browser does; large enough for a thumb.
"""

from collections.abc import Mapping, Sequence
from html import escape

STYLE = """
body { margin: 0 auto; max-width: 44rem; padding: 1rem; color: #1a1a1a; background: #fff;
  font: 1.125rem/1.6 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
.notice { padding: .75rem 1rem; border-left: .3rem solid #8a4b00; background: #fff4e0; }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .75rem;
  margin: 0; padding: 0; list-style: none; }
button { width: 100%; min-height: 3rem; padding: .5rem 1rem; border: 1px solid #0b5c8a;
  border-radius: .5rem; color: #0b4a6f; background: #fff; font: inherit; text-align: start; }
button:hover { background: #e8f4fa; }
button:focus-visible { outline: .2rem solid #8a4b00; outline-offset: .15rem; }
"""

_PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>演示登录 Demo sign-in</title>
<link rel="stylesheet" href="{path}/page.css">
</head>
<body>
<main>
<h1>演示登录 <span lang="en">Demo sign-in</span></h1>
<p class="notice">演示环境：以下人员均为虚构，点选即可登录，无需密码。
<span lang="en">A demo: nobody here exists. Choose who you are; there is no password.</span></p>
<form method="post" action="{path}/authorize">
{asked}
{groups}
</form>
</main>
</body>
</html>
"""


def page(
    path: str, asked: Mapping[str, str], groups: Mapping[str, Sequence[tuple[str, str]]]
) -> str:
    """The page: (key, name) of people under their headings; `asked` goes along unseen."""
    hidden = (
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in asked.items()
    )
    listed = (_group(heading, people) for heading, people in groups.items())
    return _PAGE.format(path=path, asked="\n".join(hidden), groups="\n".join(listed))


def _group(heading: str, people: Sequence[tuple[str, str]]) -> str:
    buttons = "\n".join(
        f'<li><button name="who" value="{escape(key)}">{escape(name)}</button></li>'
        for key, name in people
    )
    return f"<h2>{escape(heading)}</h2>\n<ul>\n{buttons}\n</ul>"
