"""QUERY of docs/formats/dataset.md, from that page: yes, no, or None where a header alone cannot say."""
import calendar
import operator
import re
import time

from dataset_text import words_of
from record_check import Fault, require

TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\["\\])*")|(<=|>=|!=|[()=<>,])|([^\s()=!<>,"]+))')
COMPARE = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
ORDERED = {"rating", "votes", "time", "masked"}
FIELDS = ORDERED | {"kind", "model", "licence", "lang", "scope", "author", "words"}
KEYWORDS = {"and", "or", "not", "in", "cap"}


def small(text):
    """Names are compared with small ASCII letters; all others stand as they are."""
    return text.encode().lower().decode()


def tokens_of(text):
    at, out = 0, []
    text = text.strip()
    while at < len(text):
        found = TOKEN.match(text, at)
        require(found, f"query, column {at + 1}: not understood")
        quoted, sign, word = found.groups()
        out.append(("text", re.sub(r"\\(.)", r"\1", quoted[1:-1])) if quoted else ("sign", sign) if sign else ("word", word))
        at = found.end()
    return out


class Query:
    """A query, to be asked with a header's facts and a body or None."""

    def __init__(self, text):
        require(len(text.encode()) <= 4096, "a query of more than 4,096 bytes")
        self.tokens, self.at, self.cap, self.levels = tokens_of(text), 0, None, 0
        self.tree = None
        if self.tokens and not self.is_word("cap"):
            self.tree = self.any()
        if self.take_word("cap"):
            self.cap = int(self.value())
        require(self.at == len(self.tokens), "query: something behind its end")

    def is_word(self, word):
        return self.at < len(self.tokens) and self.tokens[self.at][0] == "word" and self.tokens[self.at][1].lower() == word

    def take_word(self, word):
        found = self.is_word(word)
        self.at += found
        return found

    def take_sign(self, signs):
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign" and self.tokens[self.at][1] in signs:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def value(self):
        require(self.at < len(self.tokens) and self.tokens[self.at][0] != "sign", "query: a value is missing")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def any(self):
        parts = [self.all()]
        while self.take_word("or"):
            parts.append(self.all())
        return ("or", parts)

    def all(self):
        parts = [self.one()]
        while self.take_word("and"):
            parts.append(self.one())
        return ("and", parts)

    def one(self):
        if self.take_word("not"):
            return ("not", self.deeper(self.one))
        if self.take_sign("("):
            inner = self.deeper(self.any)
            require(self.take_sign(")"), "query: a bracket is open")
            return inner
        field = self.value().lower()
        require(field in FIELDS, f"query: no field {field}")
        if self.take_word("in"):
            require(self.take_sign("("), "query: no list behind in")
            values = [self.value()]
            while self.take_sign(","):
                values.append(self.value())
            require(self.take_sign(")"), "query: a list is open")
            return ("or", [comparison(field, "=", value) for value in values])
        sign = self.take_sign(COMPARE.keys())
        require(sign, "query: no comparison")
        return comparison(field, sign, self.value())

    def deeper(self, part):
        self.levels += 1
        require(self.levels <= 32, "query: nested too deeply")
        inner = part()
        self.levels -= 1
        return inner

    def matches(self, facts, body=None):
        return True if self.tree is None else ask(self.tree, facts, body)


def comparison(field, sign, value):
    require(field in ORDERED or sign in ("=", "!="), f"query: {field} is not ordered")
    if field == "time":
        require(re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d)?", value), f"query: {value} is no time")
        form = "%Y-%m-%dT%H" if "T" in value else "%Y-%m-%d"
        try:
            value = calendar.timegm(time.strptime(value, form))
        except ValueError as error:
            raise Fault("form", f"query: {error}") from None
    elif field in ORDERED:
        require(re.fullmatch("-?[0-9]+", value), f"query: {value} is no number")
        value = int(value)
    elif field == "words":
        value = words_of(value)
    elif field == "author" or (field == "model" and re.fullmatch("[0-9a-fA-F]{64}", value)):
        value = bytes.fromhex(value)
    return ("is", field, sign, value)


def ask(tree, facts, body):
    kind = tree[0]
    if kind == "is":
        return compare(*tree[1:], facts, body)
    if kind == "not":
        inner = ask(tree[1], facts, body)
        return None if inner is None else not inner
    answers, decisive = [ask(part, facts, body) for part in tree[1]], kind == "or"
    if decisive in answers:
        return decisive
    return None if None in answers else not decisive


def compare(field, sign, value, facts, body):
    if field in ("kind", "licence", "author", "rating", "votes", "time"):
        return COMPARE[sign](facts[field], value)
    if field == "scope":
        return (value in facts["scope"]) == (sign == "=")
    if field == "model" and type(value) is bytes:
        return (value in facts["models"]) == (sign == "=")
    if body is None:
        return None
    if field == "words":
        words = [word for message in body["messages"] for word in words_of(message["content"])]
        return is_within(value, words) == (sign == "=")
    if field == "model":
        mine, wanted = small(body["model"]), small(value)
        found = mine.startswith(wanted[:-1]) if wanted.endswith("*") else mine == wanted
        return found == (sign == "=")
    return COMPARE[sign](body[field], value)


def is_within(phrase, words):
    return any(words[i:i + len(phrase)] == phrase for i in range(len(words) - len(phrase) + 1))
