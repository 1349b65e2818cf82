"""Whether handlers are there and can be called, as far as their source tells.

Nothing of the user's is imported. Where the source does not tell (a name that is
imported, the result of a call, a decorated function) the handler is accepted, and
what it is shows when it is linked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.declare.declaration import Located
from engine.declare.diagnostic import Diagnostic, Related
from engine.declare.discover import display_name
from engine.declare.span import Span
from engine.declare.suggest import Suggestions

from .rules import broken
from .source import Binding, Folder, Found, Missing, Module, Sources, Unparsable, modules_in

_Function = ast.FunctionDef | ast.AsyncFunctionDef

#: Values that nobody can call.
_CONSTANTS = (
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.Dict,
    ast.Set,
    ast.JoinedStr,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.Compare,
)

_SIGNATURE = "write `def {name}(job, ctx):`"
_CALLED_WITH = ", but a handler is called with two, the job and the context"


def check_handlers(handlers: Iterable[Located], *, sources: Sources) -> tuple[Diagnostic, ...]:
    """Look handlers up in the source.

    A module that cannot be parsed is told at the first handler in it only.

    Args:
        handlers: Import paths with their places.
        sources: Where modules are found; one for all files, since each module is read once.
    """
    suggestions = Suggestions()
    unparsable: set[Path] = set()
    diagnostics: list[Diagnostic] = []
    for handler in handlers:
        found = _found(handler, sources)
        if isinstance(found, Unparsable):
            if found.path in unparsable:
                continue
            unparsable.add(found.path)
        diagnostics.extend(_check(handler, found, suggestions))
    return tuple(diagnostics)


def split_import_path(path: str) -> tuple[str, str] | None:
    """Module and function of `module:function`, or None if it is no such path."""
    module, colon, function = path.partition(":")
    is_path = colon and function.isidentifier() and all(part.isidentifier() for part in module.split("."))
    return (module, function) if is_path else None


def _found(handler: Located, sources: Sources) -> Found | None:
    """What is known of a handler's module; None where the handler is no import path."""
    parts = split_import_path(handler.text)
    return None if parts is None else sources.find(parts[0])


def _check(handler: Located, found: Found | None, suggestions: Suggestions) -> Iterator[Diagnostic]:
    module, _, function = handler.text.partition(":")
    match found:
        case None:
            yield _no_import_path(handler)
        case Missing():
            yield _no_module(handler, found, suggestions)
        case Folder():
            yield _folder(handler, module, function, found)
        case Unparsable():
            yield _unparsable(handler, module, found)
        case Module():
            yield from _check_function(handler, function, found, suggestions)


def _no_import_path(handler: Located) -> Diagnostic:
    message = f"`{handler.text}` is no import path: a handler is written `module:function`"
    dotted = re.sub(r"\.py(?=[:.]|$)", "", handler.text.strip().removeprefix("./")).replace("/", ".")
    dotted = re.sub(r"\s*[:.]+\s*", ".", dotted.removesuffix("()")).strip(".")
    module, _, function = dotted.rpartition(".")
    is_fit = split_import_path(f"{module}:{function}") is not None
    help = f"write `{module}:{function}`" if is_fit else "for example `handlers.hello:start`"
    return broken("FE201", message, handler.span, help=help)


def _no_module(handler: Located, missing: Missing, suggestions: Suggestions) -> Diagnostic:
    message = f"there is no module `{missing.name}`"
    parent, _, last = missing.name.rpartition(".")
    likely = suggestions.nearest(last, modules_in(missing.folders))
    if likely is None:
        folder = display_name(Path(missing.folders[0])) if missing.folders else None
        where = f" in `{folder}`" if folder else ""
        return broken("FE202", message + where, handler.span)
    right = f"{parent}.{likely}" if parent else likely
    rest = handler.text[len(missing.name) :]
    return broken("FE202", message, handler.span, help=f"did you mean `{right}{rest}`?")


def _folder(handler: Located, module: str, function: str, found: Folder) -> Diagnostic:
    message = f"`{module}` is a folder, not a module, so it has no function `{function}`"
    names = [name for name in modules_in(found.folders) if name != "__init__"]
    help = None
    if function in names:
        help = f"name a function of the module, as in `{module}.{function}:start`"
    elif names:
        help = f"name a module in it, as in `{module}.{names[0]}:{function}`"
    return broken("FE202", message, handler.span, help=help)


def _unparsable(handler: Located, module: str, found: Unparsable) -> Diagnostic:
    file = display_name(found.path)
    message = f"module `{module}` cannot be parsed: {found.reason} ({file}, line {found.line})"
    span = Span(file, found.line, found.column, found.line, found.column + 1)
    help = "its functions are looked up once Python can read it"
    return broken("FE203", message, handler.span, help=help, related=Related("Python stopped here", span))


def _check_function(
    handler: Located, name: str, module: Module, suggestions: Suggestions
) -> Iterator[Diagnostic]:
    binding = module.bindings.get(name)
    file = display_name(module.path)
    if binding is None:
        if not module.is_open:
            yield _no_function(handler, name, module, suggestions)
        return
    related = Related("defined here", _first_line(file, binding))
    match binding:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if not binding.decorator_list:
            yield from _check_signature(handler, binding, name, related, file)
        case ast.Lambda():
            yield from _check_signature(handler, binding, name, related, file)
        case ast.ClassDef() if _is_made_of_nothing(binding):
            message = f"`{name}` in {file} is a class that takes no arguments{_CALLED_WITH}"
            help = _SIGNATURE.format(name=name)
            if "__call__" in _names_in(binding):
                help = f"make an object of it in the module, as in `handler = {name}()`, and name that"
            yield broken("FE206", message, handler.span, help=help, related=related)
        case ast.expr() if isinstance(binding, _CONSTANTS):
            message = f"`{name}` in {file} is a value, not a function"
            yield broken("FE205", message, handler.span, help=_SIGNATURE.format(name=name), related=related)


def _no_function(handler: Located, name: str, module: Module, suggestions: Suggestions) -> Diagnostic:
    functions = [
        key for key, binding in module.bindings.items() if not isinstance(binding, (*_CONSTANTS, ast.Import))
    ]
    likely = suggestions.nearest(name, functions)
    if likely:
        path = handler.text.partition(":")[0]
        help = f"did you mean `{path}:{likely}`?"
    else:
        defined = [key for key in functions if isinstance(module.bindings[key], _Function)]
        listed = ", ".join(f"`{key}`" for key in defined[:8])
        help = f"its functions are {listed}" if listed else _SIGNATURE.format(name=name)
    message = f"there is no function `{name}` in {display_name(module.path)}"
    return broken("FE204", message, handler.span, help=help)


def _check_signature(
    handler: Located, function: _Function | ast.Lambda, name: str, related: Related, file: str
) -> Iterator[Diagnostic]:
    if _yields(function):
        message = f"`{name}` in {file} has a `yield`, so a call would not run it"
        help = "`return` its result, and emit events with `ctx.flow.emit`"
        yield broken("FE209", message, handler.span, help=help, related=related)
        return
    args = function.args
    positional = len(args.posonlyargs) + len(args.args)
    required = positional - len(args.defaults)
    needed = [
        arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is None
    ]
    if needed:
        words = f"cannot be called without the keyword argument `{needed[0]}`"
    elif required > 2:
        words = f"needs {required} arguments"
    elif positional < 2 and args.vararg is None:
        words = "takes no arguments" if positional == 0 else "takes one argument"
    else:
        return
    message = f"`{name}` in {file} {words}{_CALLED_WITH}"
    help = _SIGNATURE.format(name=name)
    if isinstance(function, ast.AsyncFunctionDef):
        help = help.replace("def", "async def")
    yield broken("FE206", message, handler.span, help=help, related=related)


def _is_made_of_nothing(cls: ast.ClassDef) -> bool:
    """Whether a class surely takes no arguments: it inherits nothing, and says nothing of how it is made."""
    is_plain = not (cls.bases or cls.keywords or cls.decorator_list)
    return is_plain and _names_in(cls).isdisjoint({"__init__", "__new__"})


def _names_in(cls: ast.ClassDef) -> set[str]:
    """The names that a class defines or mentions, wherever in it."""
    parts = list(ast.walk(cls))
    defined = {part.name for part in parts if isinstance(part, _Function)}
    return defined | {part.id for part in parts if isinstance(part, ast.Name)}


def _yields(function: _Function | ast.Lambda) -> bool:
    """Whether a function is a generator: it has a `yield` of its own, not of a function inside of it."""
    waiting: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else [*function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, _Function | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _first_line(file: str, binding: Binding) -> Span:
    """The first line of what a name is bound to: of a function, its `def`."""
    is_short = binding.end_lineno == binding.lineno and binding.end_col_offset is not None
    end = (binding.end_col_offset or 0) if is_short else binding.col_offset + len("def")
    return Span(file, binding.lineno, binding.col_offset + 1, binding.lineno, end + 1)
