"""Alpine's attributes are evaluated without eval, by dashboard/static/dashboard/expressions.js."""

import re
from pathlib import Path

import pytest
import unfold
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch

# Puts an element with each expression into the page and returns what Alpine shows there.
SHOW = """async (expressions) => {
  const shown = expressions.map((expression) => {
    const element = document.createElement("output");
    element.setAttribute("x-text", expression);
    return element;
  });
  const box = document.createElement("div");
  box.setAttribute("x-data", "{count: 2, word: 'two', label: '', list: ['a', 'b'], deep: {word: 'in'}, open: false}");
  box.append(...shown);
  document.body.append(box);
  await new Promise((resolve) => requestAnimationFrame(resolve));
  return shown.map((element) => element.textContent);
}"""
# Alpine prepares each expression here, but never runs it.
PREPARE = """async (expressions) => {
  for (const expression of expressions) {
    const element = document.createElement("output");
    element.setAttribute("x-on:never", expression);
    document.body.append(element);
  }
  await new Promise((resolve) => requestAnimationFrame(resolve));
}"""
TEMPLATES = [Path(unfold.__file__).parent, Path(__file__).parents[2] / "dashboard" / "templates"]
# A widget that no form of the console has, and a search box that the console replaces.
UNUSED_TEMPLATES = {"forms/array.html", "helpers/search.html"}
EXPRESSION = re.compile(r"""\s(?:x-(?!ref|teleport|transition)|@|:)[\w.:-]+=(?:"([^"]*)"|'([^']*)')""")
UNDERSTOOD = {
    "count + 1": "3",
    "count + 1 - 0.5": "2.5",
    "-count": "-2",
    "count === 2 && word == 'two'": "true",
    "count !== 2 || word != \"two\" || 'no'": "no",
    "!(count >= 3) && count < 3 && count <= 2 && count > 1": "true",
    "open ? 'open' : count > 1 ? 'many' : 'one'": "many",
    "deep.word": "in",
    "deep['word'].toUpperCase()": "IN",
    "list[1]": "b",
    "list.includes('a')": "true",
    "['h3', 'strong',].length": "2",
    "{'left right': open, left: !open}.left": "true",
    "label = 'three'; label": "three",
    "if (count > 1) 'many'": "many",
    "if (count > 2) 'many'": "",
    "undefined === null": "false",
    "list.map(each => each + count).join(' ')": "a2 b2",
    "  \n count \n ": "2",
}
REFUSED = [
    "alert(1)",
    "eval('1')",
    "document.title",
    "window.alert(1)",
    "this",
    "list.constructor",
    "list['const' + 'ructor']",
    "list[['constructor']]",
    "constructor",
    "{__proto__: list}",
    "list.map.constructor('return 1')()",
    "$el.ownerDocument",
    "$el.outerHTML",
    "$el.remove()",
    "localStorage.clear()",
    "deep.word = 'out'",
    "(count) = 3",
    "new Date()",
    "`${count}`",
    "() => 1",
    "let other = 1",
    "count +",
    "count count",
    "'two",
    "'\\u0041'",
    "list[0",
    "{open: }",
    "nothing",
    "word()",
    "(word)()",
    "async () => 1",
]


@pytest.fixture
def overview(page: Page) -> Page:
    page.goto("/")
    return page


def read_expressions(template: str) -> list[str]:
    """Return the expressions of a template, each with one branch of its conditions and `x` for each variable."""
    for pattern, value in ((r"{% else %}.*?{% endif %}", ""), (r"{%.*?%}", ""), (r"{{.*?}}", "x")):
        template = re.sub(pattern, value, template, flags=re.DOTALL)
    return [(double or single).rpartition(" in ")[2] for double, single in EXPRESSION.findall(template)]


def test_every_template_of_unfold_is_understood(overview: Page) -> None:
    """Also the templates that no other test shows."""
    expressions = {
        expression
        for folder in TEMPLATES
        for template in folder.rglob("*.html")
        if "/".join(template.parts[-2:]) not in UNUSED_TEMPLATES
        for expression in read_expressions(template.read_text())
    }
    assert len(expressions) > 100
    overview.evaluate(PREPARE, sorted(expressions))


def test_what_unfold_writes_is_understood(overview: Page) -> None:
    assert dict(zip(UNDERSTOOD, overview.evaluate(SHOW, list(UNDERSTOOD)), strict=True)) == UNDERSTOOD


def test_everything_else_is_refused_and_said(overview: Page, watch: Watch) -> None:
    watch.expected.append(re.compile("The Alpine expression"))
    assert overview.evaluate(SHOW, REFUSED) == [""] * len(REFUSED)
    refused = [text for text in watch.errors if "The Alpine expression" in text]
    assert len(refused) == len(REFUSED), set(REFUSED)
    assert overview.locator("output").count() == len(REFUSED)


def test_the_browser_refuses_eval(overview: Page, watch: Watch) -> None:
    watch.expected.append(re.compile("unsafe-eval"))
    overview.evaluate("""() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        document.body.dataset.blocked = event.blockedURI;
      });
      setTimeout("document.body.dataset.evaluated = 'yes'", 0);
    }""")
    body = overview.locator("body")
    expect(body).to_have_attribute("data-blocked", "eval")
    expect(body).not_to_have_attribute("data-evaluated", "yes")
