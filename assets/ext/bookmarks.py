"""What is marked in the text without being written there: rules in their colours, terms linked, formulas kept whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

#: Inside these, words are left as they are.
UNTOUCHED = (
    *(nodes.reference, nodes.literal, nodes.title, nodes.caption, nodes.raw, nodes.math, nodes.math_block),
    *(nodes.literal_block, nodes.term, nodes.table, nodes.footnote, addnodes.pending_xref, addnodes.desc),
)
#: Terms that are everyday words too; these are linked only where the text stresses them.
EVERYDAY = {"claim", "profile", "relay", "tolerance"}
ROW = re.compile(r'(<th scope="row">)([^<]+)(</th>)')


class RuleRole(SphinxRole):
    """A rule's name in its colour: {rule}`dfa` gives DFA."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the marked name, or an error that lists the names there are."""
        rules = self.config.book_facts["rules"]
        if self.text in rules:
            return [_mark(rules[self.text], self.text)], []
        message = self.inliner.reporter.error(
            f"unknown rule {self.text!r}; known: {', '.join(rules)}", line=self.lineno
        )
        return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


def _mark(label: str, rule: str) -> nodes.inline:
    return nodes.inline(label, label, classes=["rule", f"rule-{rule}"])


# ---------------------------------------------------------------- rules


def mark_rules(app: Sphinx, doctree: nodes.document) -> None:
    """Show the first mention of each rule in a section in the rule's colour, and every rule that heads a row."""
    rules = {label: name for name, label in app.config.book_facts["rules"].items()}
    for raw in list(doctree.findall(nodes.raw)):
        if "<th " in raw.astext():
            text = ROW.sub(lambda found: _row(found, rules), raw.astext())
            raw.replace_self(nodes.raw(text, text, **raw.attributes))
    if not app.env.docname.startswith("chapters/"):
        return
    spoken = [label for label in rules if not label.islower()]
    pattern = re.compile(rf"(?<![\w-])({'|'.join(sorted(spoken, key=len, reverse=True))})(?![\w-])")
    for section in doctree.findall(nodes.section):
        seen: set[str] = set()
        for text in _words_of(section):
            _replace_first(text, pattern, lambda found: found[1], lambda found: _mark(found[1], rules[found[1]]), seen)
        for emphasis in list(section.findall(nodes.emphasis)):
            word = emphasis.astext()
            if word in rules and word.islower() and word not in seen and _section_of(emphasis) is section:
                seen.add(word)
                emphasis.replace_self(_mark(word, rules[word]))


def _row(found: re.Match[str], rules: dict[str, str]) -> str:
    if found[2] not in rules:
        return found[0]
    return f'{found[1]}<span class="rule rule-{rules[found[2]]}">{escape(found[2])}</span>{found[3]}'


# ---------------------------------------------------------------- terms


def link_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link the first mention of each term of the glossary in a chapter; the definition shows on hovering."""
    if not docname.startswith("chapters/"):
        return
    terms = _terms(app)
    if not terms:
        return
    terms = {form: place for name, place in terms.items() for form in _forms(name)}
    everyday = {form for name in EVERYDAY for form in _forms(name)}
    stressed, everywhere = _any_of(set(terms)), _any_of(set(terms) - everyday)
    builder, seen = app.builder, set[str]()

    def link(found: re.Match[str]) -> nodes.reference:
        page, anchor, definition = terms[found[1].lower()]
        address = f"{builder.get_relative_uri(docname, page)}#{anchor}"
        reference = nodes.reference("", "", internal=True, refuri=address, reftitle=definition, classes=["term"])
        reference += nodes.Text(found[0])
        return reference

    def key(found: re.Match[str]) -> str:
        return terms[found[1].lower()][1]

    for section in doctree.findall(nodes.section):
        for text in _words_of(section):
            pattern = stressed if isinstance(text.parent, nodes.emphasis) else everywhere
            _replace_first(text, pattern, key, link, seen)


def _any_of(names: set[str]) -> re.Pattern[str]:
    """Return the pattern of whole words that finds the longest of the names."""
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    return re.compile(rf"(?<![\w-])({longest_first})(?![\w-])", re.IGNORECASE)


def _forms(name: str) -> Iterator[str]:
    """Yield a term in the singular and, as far as its ending tells, the plural."""
    yield name
    endings = {"y": "ies", "ix": "ices"}
    found = next((end for end in endings if name.endswith(end)), "")
    yield name.removesuffix(found) + endings[found] if found else f"{name}s"


def _terms(app: Sphinx) -> dict[str, tuple[str, str, str]]:
    """Return page, anchor and definition of every term of the glossary, by the term in lower case."""
    known = getattr(app.env, "book_terms", None)
    if known is None:
        objects = app.env.get_domain("std").objects
        places = {name.lower(): place for (kind, name), place in objects.items() if kind == "term"}
        told: dict[str, str] = {}
        for page in {page for page, _ in places.values()}:
            told |= _definitions(app.env.get_doctree(page))
        known = {name: (page, anchor, told.get(anchor, "")) for name, (page, anchor) in places.items()}
        app.env.book_terms = known  # type: ignore[attr-defined]
    return known


def _definitions(doctree: nodes.document) -> dict[str, str]:
    """Return the first sentence of each definition by the anchors of its terms."""
    told = {}
    for item in doctree.findall(nodes.definition_list_item):
        paragraph = next(iter(item.findall(nodes.paragraph)), None)
        text = " ".join(paragraph.astext().split()) if paragraph is not None else ""
        for term in item.findall(nodes.term):
            told |= dict.fromkeys(term["ids"], re.split(r"(?<=[.;])\s", text)[0])
    return told


# ---------------------------------------------------------------- formulas


def keep_punctuation(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the marks that touch a formula on its line: browsers may break a line between a picture and a comma."""
    for formula in list(doctree.findall(nodes.math)):
        before, after = _neighbour(formula, -1), _neighbour(formula, 1)
        opening = re.search(r"[(\[]+$", before) if before else None
        closing = re.match(r"[.,;:?!)\]]+", after) if after else None
        if not (opening or closing):
            continue
        parent, place = formula.parent, formula.parent.index(formula)
        kept = nodes.inline("", "", classes=["keep-together"])
        parent.replace(formula, kept)
        if opening:
            parent[place - 1] = nodes.Text(before[: opening.start()])
            kept += nodes.Text(opening[0])
        kept += formula
        if closing:
            parent[place + 1] = nodes.Text(after[closing.end() :])
            kept += nodes.Text(closing[0])


def _neighbour(node: nodes.Node, step: int) -> str:
    """Return the text beside a node, empty if there is none."""
    place = node.parent.index(node) + step
    beside = node.parent[place] if 0 <= place < len(node.parent) else None
    return str(beside) if isinstance(beside, nodes.Text) else ""


# ---------------------------------------------------------------- the walk over words


def _section_of(node: nodes.Node) -> nodes.Node | None:
    while node is not None and not isinstance(node, nodes.section):
        node = node.parent
    return node


def _words_of(section: nodes.section) -> Iterator[nodes.Text]:
    """Yield the running text of a section, without that of the sections in it."""
    for text in list(section.findall(nodes.Text)):
        paragraph, parent = False, text.parent
        while parent is not None and not isinstance(parent, (*UNTOUCHED, nodes.section)):
            paragraph = paragraph or isinstance(parent, nodes.paragraph)
            parent = parent.parent
        if paragraph and parent is section:
            yield text


def _replace_first(
    text: nodes.Text,
    pattern: re.Pattern[str],
    key: Callable[[re.Match[str]], str],
    made: Callable[[re.Match[str]], nodes.Node],
    seen: set[str],
) -> None:
    """Put what is `made` of a match in its place, where its key was not seen before."""
    source, pieces, last = text.astext(), [], 0
    for found in pattern.finditer(source):
        if key(found) not in seen:
            seen.add(key(found))
            pieces += [nodes.Text(source[last : found.start()]), made(found)]
            last = found.end()
    if pieces:
        text.parent.replace(text, [*pieces, nodes.Text(source[last:])])
