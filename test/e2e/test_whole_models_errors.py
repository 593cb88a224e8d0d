"""Bad input of whole models: each is an error that says what is wrong, where, and what to do, and
leaves a session as good as it was."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from forward import NO_PAGE, PAGE, Program, Text
from reference_programs import ReferencePrograms, path_of, random_tokens, run_whole, same
from tools import ToolError, Tools

DAMAGES = "|".join((
    "is not a compiled program: it is empty; ", "not a valid program: ",
    "the bytecode ends inside its header", "the bytecode has no seal: ",
    "the seal of the bytecode is damaged", "the program is damaged: .* compile it again, "))
NAME, PAGES = "gpt-oss", 4


@pytest.fixture(scope="module")
def program(programs: ReferencePrograms) -> Program:
    return programs.load(NAME)


def arguments(program: Program) -> dict[str, np.ndarray]:
    """Of a run of three tokens of sequence 0 of two, on page 2."""
    table = np.full((2, program.table_pages), NO_PAGE)
    table[0, 0] = 2
    return {"tokens": np.arange(3), "positions": np.arange(3), "sequences": np.zeros(3, int),
            "pages": table, "rows": np.arange(3)}


CORRECT = "correct the positions, sequences or pages that the caller passes"


@pytest.mark.parametrize("name, index, value, message", [
    ("tokens", 1, 264, "moert.embed with token_embd.weight: position 1 of its index has row 264, "
                       "rows are 0 to 263; correct the index that the caller passes"),
    ("tokens", 2, -1, "position 2 of its index has row -1, rows are 0 to 263; correct the index"),
    ("positions", 1, 2 * PAGE, "moert.append with blk.0.cache: token 1 has position 256, the page "
                               f"table has places for 256 positions; {CORRECT}"),
    ("positions", 2, -1, "token 2 has position -1, the page table has places for 256 positions"),
    ("positions", 2, PAGE, f"token 2 sees page -1, the cache has pages 0 to 3; {CORRECT}"),
    ("sequences", 1, 2, f"token 1 has sequence 2, the page table has sequences 0 to 1; {CORRECT}"),
    ("sequences", 0, -1, "token 0 has sequence -1, the page table has sequences 0 to 1"),
    ("sequences", 0, 1, "token 0 sees page -1, the cache has pages 0 to 3"),
    ("pages", (0, 0), PAGES, "token 0 sees page 4, the cache has pages 0 to 3"),
    ("pages", (0, 0), NO_PAGE, "token 0 sees page -1, the cache has pages 0 to 3"),
    ("pages", (0, 0), -2, "token 0 sees page -2, the cache has pages 0 to 3"),
    ("rows", 1, 3, "moert.read_rows.*: position 1 of its index has row 3, rows are 0 to 2"),
    ("rows", 1, -1, "moert.read_rows.*: position 1 of its index has row -1, rows are 0 to 2"),
])
def test_a_number_out_of_range(program: Program, name: str, index: int | tuple, value: int,
                               message: str) -> None:
    session = program.session(pages=PAGES)
    text = Text(random_tokens(1, 60))
    begin = session.step([text.next(30, iter([0]))])[0]
    given = arguments(program)
    given[name][index] = value
    with pytest.raises(RuntimeError, match=f"function 'forward': step \\d+, .*{message}"):
        session.forward(**given)
    # What other sequences have in the cache is as it was.
    actual = np.concatenate([begin, run_whole(session, text, 30, itertools.count(1))])
    expected = run_whole(program.session(), Text(text.tokens), 60, itertools.count())
    assert same(actual, expected)


@pytest.mark.parametrize("positions, sequences", [([0, 1, 0], [0, 0, 0]), ([1, 5, 1], [0, 0, 1])])
def test_one_place_of_two_tokens(program: Program, positions: list[int],
                                 sequences: list[int]) -> None:
    """Of one sequence, or of two that both write to a page."""
    session, given = program.session(pages=PAGES), arguments(program)
    given["pages"][:, 0] = 2
    given |= {"positions": np.array(positions), "sequences": np.array(sequences)}
    with pytest.raises(RuntimeError, match="moert.append with blk.0.cache: token 0 and token 2 "
                                           f"have one place in the cache; {CORRECT}"):
        session.forward(**given)


def test_no_page_table(program: Program) -> None:
    with pytest.raises(RuntimeError, match="token 0 has sequence 0, the page table has none; "):
        program.session().forward(**arguments(program) | {"pages": np.zeros((0, 2))})


def test_a_page_of_the_past_is_missing(program: Program) -> None:
    """A token sees all pages before its own, where its layer has no window."""
    session, given = program.session(pages=PAGES), arguments(program)
    given["positions"][:] = np.arange(PAGE, PAGE + 3)
    given["pages"][0, :2] = [NO_PAGE, 2]
    with pytest.raises(RuntimeError, match="token 0 sees page -1, the cache has pages 0 to 3"):
        session.forward(**given)


@pytest.mark.parametrize("name, shape, message", [
    ("positions", 2, "input 'positions' gives 2 for 'tokens', input 'tokens' gives 3"),
    ("sequences", 4, "input 'sequences' gives 4 for 'tokens', input 'tokens' gives 3"),
    ("pages", (1, 3), "input 'pages' has shape 1 x 3, slots x 2 is needed"),
    ("pages", (9, 2), "'slots' is 9, at most 8 were reserved by this session; make one with more"),
    ("rows", 17, "'rows' is 17, at most 16 were reserved by this session; make one with more"),
])
def test_a_wrong_shape(program: Program, name: str, shape: int | tuple, message: str) -> None:
    session = program.session(pages=PAGES, slots=8, rows=16)
    with pytest.raises(RuntimeError, match=f"function 'forward': {message}"):
        session.forward(**arguments(program) | {name: np.zeros(shape)})


def test_more_tokens_than_reserved(program: Program) -> None:
    text = Text(random_tokens(1, 17))
    with pytest.raises(RuntimeError, match="'tokens' is 17, at most 16 were reserved"):
        program.session(tokens=16).step([text.next(17, itertools.count())])


@pytest.mark.parametrize("symbols, message", [
    ({"pages": None}, "sizes of states depend on 'pages', which a session must be given a value "
                      "for, 1 to 1048576; say it in sortie_session_options.symbols"),
    ({"pages": None, "page": 4}, "has no symbol 'page'; it has: tokens, pages, slots, rows"),
    ({"pages": 0}, "symbol 'pages' is to be 0, it must be 1 to 1048576"),
    ({"pages": -1}, "symbol 'pages' is to be -1, it must be 1 to 1048576"),
    ({"pages": 1048577}, "symbol 'pages' is to be 1048577, it must be 1 to 1048576"),
    ({"tokens": 8193}, "symbol 'tokens' is to be 8193, it must be 1 to 8192"),
])
def test_a_wrong_symbol(program: Program, symbols: dict, message: str) -> None:
    with pytest.raises(RuntimeError, match=f"session_create: .*{message}"):
        program.session(**symbols)


def test_a_cache_beyond_memory(program: Program) -> None:
    with pytest.raises(RuntimeError, match=r"cannot allocate \d{12} bytes for states; free memory, "
                                           "or use fewer tokens, pages or functions"):
        program.session(pages=1 << 20)


def test_damaged_programs(programs: ReferencePrograms, tools: Tools) -> None:
    """Cut off at many places, and with a bit changed."""
    whole = programs.path(NAME).read_bytes()
    path = tools.folder / "damaged.mlirbc"
    lengths = [*range(64), *range(64, len(whole), 997), *range(len(whole) - 8, len(whole))]
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    for damaged in (*(whole[:length] for length in lengths), bytes(changed)):
        path.write_bytes(damaged)
        with pytest.raises(RuntimeError, match=f"program_open: .*damaged.mlirbc: ({DAMAGES})"):
            Program(tools.library, path, path_of(NAME))
    # And by the tool.
    ids = tools.folder / "ids.npy"
    np.save(ids, np.zeros((1, 4), np.int32))
    with pytest.raises(ToolError, match="the program is damaged: "):
        tools.call("sortie-run", "logits", path, "--weights", path_of(NAME), "--tokens", ids,
                   "--output", tools.folder / "logits.npy")


def test_weights_of_another_model(programs: ReferencePrograms, tools: Tools) -> None:
    with pytest.raises(RuntimeError, match="qwen3/model.gguf: has fingerprint .*; give that model, "
                                           "or compile the program for this one"):
        Program(tools.library, programs.path(NAME), path_of("qwen3"))


@pytest.mark.parametrize("tokens, options, message", [
    ([[0, 264]], (), "264.* 0 to 263"),
    ([[0, -1]], (), "-1.* 0 to 263"),
    (np.zeros((1, 257)), (), "257.* 256"),
    (np.zeros((1, 9)), ("--context=8",), "9.* 8"),
])
def test_tokens_of_the_tool(programs: ReferencePrograms, tools: Tools, tokens: list,
                            options: tuple, message: str) -> None:
    ids = tools.folder / "ids.npy"
    np.save(ids, np.array(tokens, np.int32))
    with pytest.raises(ToolError, match=message):
        tools.call("sortie-run", "logits", programs.path(NAME), "--weights", path_of(NAME),
                   "--tokens", ids, "--output", tools.folder / "logits.npy", *options)


def test_layers_alone_do_not_generate(tools: Tools) -> None:
    path = Path(path_of(NAME))
    with pytest.raises(ToolError, match="has no function 'forward', which only whole models have: "
                                        "import one with sortie-translate --import-gguf without"):
        tools.generate(tools.compile(path), path, ["the"], "-n", 1)
