"""The catalogue of diagnostics: what each code stands for.

Codes are stable and never used again: FE0xx reading, FE1xx the shape, FE2xx
handlers, FE4xx the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.declare.diagnostic import Diagnostic, Related, Severity
from engine.declare.span import Span


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code stands for.

    Attributes:
        code: `FE` and three digits.
        title: What is wrong, in a few words.
        explanation: Why it is wrong and what to do, in sentences.
        severity: An error unless the rule says otherwise.
    """

    code: str
    title: str
    explanation: str
    severity: Severity = "error"


_CATALOGUE = (
    Rule("FE001", "no such flow file",
         "A path does not exist, cannot be read, is a folder without flow files, or is a file whose name "
         "does not end in `.yaml`, `.yml` or `.toml`."),
    Rule("FE002", "file too large",
         "A flow file has at most 1,000,000 bytes. Split the flow, and keep data out of it."),
    Rule("FE003", "not text",
         "A flow file is text in UTF-8. Save it as such in your editor."),
    Rule("FE010", "open quote",
         "A quote is opened and not closed, so the text goes on to the next quote or to the end of the "
         "file. Close it where the value ends."),
    Rule("FE011", "bracket without its pair",
         "A `[` or `{` is not closed, or something else closes it, or a comma is missing between two "
         "values inside of it."),
    Rule("FE012", "wrong indentation",
         "In YAML the spaces before a line say what it belongs to. All keys of one map are indented "
         "alike, and so are all items of one list."),
    Rule("FE013", "tab",
         "YAML does not allow tabs in the indentation of a line. Set your editor to write spaces."),
    Rule("FE014", "colon in a value",
         "A colon followed by a space makes what is before it a key. A text that has one in it needs "
         "quotes."),
    Rule("FE015", "no key and value",
         "A line has no colon, or its colon has no space after it, so it is no key with its value. Write "
         "`key: value`."),
    Rule("FE016", "value that begins with a special character",
         "The characters @ % * & ! | > and the back-tick have a meaning of their own in YAML. A text "
         "that begins with one of them needs quotes."),
    Rule("FE017", "not YAML",
         "The file cannot be read as YAML at this place."),
    Rule("FE018", "not TOML",
         "The file cannot be read as TOML at this place."),
    Rule("FE020", "key defined twice",
         "A map has a key once. Of two, all but one would be lost without a word, so the file is "
         "refused."),
    Rule("FE021", "second document",
         "A YAML file may hold several documents, but a flow file holds one flow. Move the others to "
         "files of their own."),
    Rule("FE022", "empty file",
         "There is nothing in the file but space and comments."),
    Rule("FE023", "no map",
         "A flow file consists of keys and values, the first of them usually `flow: <name>`."),
    Rule("FE024", "nested too deep",
         "Values may be nested 64 deep, far more than a flow needs."),
    Rule("FE025", "too many values",
         "A file may have 100,000 keys and values."),
    Rule("FE026", "aliases stand for too much",
         "A few lines of YAML aliases can stand for billions of values. All aliases of a file together "
         "may stand for 10,000."),
    Rule("FE027", "alias to nothing",
         "`*name` repeats the value that was marked with `&name` further up. There is no such value, or "
         "it is not complete yet. A text that begins with `*` needs quotes."),
    Rule("FE028", "merge key",
         "`<<` was dropped from YAML with version 1.2 and is not read. Write the keys out."),
    Rule("FE029", "tag",
         "Tags (`!name`) make objects out of values in some programs. A flow file is plain data, so they "
         "are refused."),
    Rule("FE030", "key that is no text",
         "A key is text. `{{ … }}` without quotes is a map inside of a map to YAML."),
    Rule("FE101", "unknown key",
         "The language has no such key at this place, or this version does not serve it yet. `flowengine "
         "schema` prints all keys."),
    Rule("FE102", "key of another engine",
         "The key means something in another workflow engine; the help says what it is called here."),
    Rule("FE104", "missing key",
         "A key that must be there is not."),
    Rule("FE105", "wrong type",
         "The value is of another type than the key takes: text, a number, a list or a map."),
    Rule("FE106", "not one of the words",
         "The key takes one of a few words."),
    Rule("FE107", "bad name",
         "Names of flows, steps and queues have letters, digits, `_` and `-`, begin with a letter or "
         "`_`, and have at most 64 characters. Events are named likewise in parts with dots in between, "
         "with at most 128."),
    Rule("FE108", "empty",
         "There is no value where one must be."),
    Rule("FE109", "too long",
         "The text has more characters than are allowed at this place."),
    Rule("FE110", "listed twice",
         "The same event stands twice in one list."),
    Rule("FE111", "out of range",
         "The number is too small or too large for the key."),
    Rule("FE112", "several ways to be triggered",
         "`subscribes` has one of `any`, `all` and `collect`. What is to happen in another way is the work "
         "of another step."),
    Rule("FE201", "no import path",
         "A handler is named by its module and its function, `handlers.hello:start`: dots between the "
         "parts of the module, a colon before the function."),
    Rule("FE202", "no such module",
         "The module is neither below the project's folder nor installed. Folders are parts of the path: "
         "`handlers/hello.py` is `handlers.hello`."),
    Rule("FE203", "module that cannot be parsed",
         "The module is there, but it is not valid Python."),
    Rule("FE204", "no such function",
         "The module defines nothing of this name."),
    Rule("FE205", "not a function",
         "The module defines the name as a value that cannot be called."),
    Rule("FE206", "wrong signature",
         "A handler is called with two positional arguments, the job and the context: `def start(job, "
         "ctx):` or `async def start(job, ctx):`."),
    Rule("FE208", "handler that cannot be imported",
         "The module raised while it was imported, or the name in it turned out to be no handler. The "
         "message has the last line of your own code that ran."),
    Rule("FE209", "handler that is a generator",
         "A call of a function with a `yield` runs nothing of it. A handler returns its result, and emits "
         "events with `ctx.flow.emit` while it runs."),
    Rule("FE401", "no entry",
         "A run begins with the one step that has `role: entry`."),
    Rule("FE402", "several entries",
         "A run begins with one step. If several things are to happen first, let the entry emit an event "
         "that several steps subscribe to."),
    Rule("FE403", "event that nobody emits",
         "A step is triggered by events of its own flow, and no step of this flow lists this one under "
         "`emits`. So the event would never come."),
    Rule("FE404", "entry that subscribes",
         "The entry is triggered by the start of a run, and by nothing else."),
    Rule("FE405", "step that nothing triggers",
         "A step that is not the entry needs `subscribes`, or it never runs."),
    Rule("FE406", "event that nobody hears",
         "The step emits several events, and no step subscribes to this one. That may be meant: the "
         "event is recorded all the same.", severity="warning"),
    Rule("FE407", "reserved name of an event",
         "The engine itself writes `flow.…`, `step.…`, `registry.…`, `log`, `emit` and `state`. An event "
         "of yours has another name."),
    Rule("FE408", "unreachable steps",
         "Some steps trigger only each other. No chain of events leads to them from the entry, so they "
         "never run."),
    Rule("FE409", "cycle",
         "A step triggers itself, through others or directly, so a run could go on for ever; with `all` or "
         "`collect` it would wait for itself."),
    Rule("FE410", "two flows of one name",
         "The name of a flow is unique in a project. Rename one of them."),
    Rule("FE411", "limit on a shared queue",
         "`concurrency` is kept for a whole queue, by all workers together. The jobs of another step on that "
         "queue would use the limit up, so a step with a limit is alone on its queue."),
    Rule("FE412", "several events without a word",
         "A step that is triggered by several events says how: `{any: [a, b]}` runs it for each of them, "
         "`{all: [a, b]}` once when all have come. A bare list is refused, because readers disagree about "
         "what it means."),
)  # fmt: skip

#: All rules by their code.
RULES: Mapping[str, Rule] = {rule.code: rule for rule in _CATALOGUE}


def broken(
    code: str, message: str, span: Span, *, help: str | None = None, related: Related | None = None
) -> Diagnostic:
    """The diagnostic for a rule that is broken, with the severity that the catalogue gives it."""
    return Diagnostic(RULES[code].severity, code, message, span, help, related)
