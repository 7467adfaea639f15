"""Ways to plant a token in a history; each function gets the main line and one token."""

from collections.abc import Callable

from .stream import LINK, Line

Way = Callable[[Line, bytes], None]


def into_an_existing_file(line: Line, token: bytes) -> None:
    """A known file gets the token and keeps it."""
    path = line.any_file()
    line.commit({path: line.within(line.files[path], token)})


def added_then_deleted(line: Line, token: bytes) -> None:
    """A known file gets the token and loses it two commits later."""
    path = line.any_file()
    before = line.files[path]
    line.commit({path: line.within(before, token)})
    line.commit({line.name("between"): b"nothing\n"})
    line.commit({path: before})


def deleted_then_reverted(line: Line, token: bytes) -> None:
    """The token is added, removed with its file, and restored at the same path."""
    path = line.name("revert")
    content = line.within(line.text(20), token)
    for new in (content, None, content, line.text(3)):
        line.commit({path: new})


def deep_new_path(line: Line, token: bytes) -> None:
    """A new file in many new folders, with a name that needs quoting."""
    folders = b"/".join(line.name("deep") for _ in range(30))
    odd = 'é "quoted"\tname\n'.encode() + b"\xff.txt"
    line.commit({folders + b"/" + odd: line.within(line.text(5), token)})


def several_files(line: Line, token: bytes) -> None:
    """The token is in three blobs at four paths, which are removed one after the other."""
    paths = [line.name("several") for _ in range(4)]
    same = line.within(line.text(8), token)
    new = [same, same, line.within(line.text(9), token), b"x" + token]
    line.commit(dict(zip(paths, new, strict=True)))
    line.commit({paths[0]: None})
    line.commit({paths[2]: line.text(2)})


def renamed(line: Line, token: bytes) -> None:
    """A file with the token is renamed twice, once with an edit."""
    first, second, third = (line.name("renamed") for _ in range(3))
    content = line.within(line.text(30), token)
    line.commit({first: content})
    line.commit({first: None, second: content})
    line.commit({second: None, third: content + b"edited\n"})


def evil_merge(line: Line, token: bytes) -> None:
    """Only the merge commit itself has the token."""
    path, ours, theirs = line.name("evil"), line.name("ours"), line.name("theirs")
    base = line.commit({path: line.text(10)})
    side = line.branch([base], {theirs: b"theirs\n"})
    line.commit({ours: b"ours\n"})
    line.commit({theirs: b"theirs\n", path: line.within(line.files[path], token)}, side)


def merge_of_both_sides(line: Line, token: bytes) -> None:
    """Both sides add the token at one path in different blobs; the merge has a third."""
    path = line.name("both")
    side = line.branch([line.tip], {path: b"theirs " + token})
    line.commit({path: b"ours " + token})
    line.commit({path: b"merged " + token}, side)


def dropped_by_a_merge(line: Line, token: bytes) -> None:
    """A side has the token; the merge takes the other side's file."""
    path = line.name("dropped")
    base = line.commit({path: line.text(4)})
    side = line.branch([base], {path: line.within(line.files[path], token)})
    line.commit({line.name("ours"): b"ours\n"})
    line.commit({}, side)


def octopus_merge(line: Line, token: bytes) -> None:
    """One of three sides adds the token; a second path has it only in the merge."""
    path, evil = line.name("octopus"), line.name("octopus")
    content = line.within(line.text(6), token)
    names = [line.name("arm") for _ in range(2)]
    sides = [line.branch([line.tip], {name: name}) for name in names]
    sides.append(line.branch([line.tip], {path: content}))
    merged = {name: name for name in names} | {path: content, evil: token + b"\n"}
    line.commit(merged, *sides)


def second_root(line: Line, token: bytes) -> None:
    """A second root commit has the token and is merged."""
    path = line.name("root")
    content = line.within(line.text(7), token)
    root = line.branch([], {path: content})
    line.commit({path: content}, root)


def clocks_run_backwards(line: Line, token: bytes) -> None:
    """Children are days older than their parents."""
    path, other = line.name("clock"), line.name("clock")
    line.stream.step = -86_400
    line.commit({path: token})
    line.commit({path: b"gone", other: b"1" + token})
    line.commit({path: token, other: None})
    line.stream.step = 60


def commit_message(line: Line, token: bytes) -> None:
    """The message of a commit has the token, after characters of several bytes."""
    line.commit({line.name("message"): b"m\n"}, message="é日本 😀\n\nuses ".encode() + token)


def author_name(line: Line, token: bytes) -> None:
    """The name of an author is the token."""
    line.commit({line.name("author"): b"a\n"}, person=token + b" <a@example.org>")


def tag_message(line: Line, token: bytes) -> None:
    """The message of an annotated tag has the token."""
    line.stream.tag(line.name("planted"), line.tip, b"a release\n\nwith " + token)


def tagged_blob(line: Line, token: bytes) -> None:
    """A tag points at a blob that no commit holds."""
    line.stream.tag(line.name("planted"), line.stream.blob(b"key=" + token), b"a key")


def file_name(line: Line, token: bytes) -> None:
    """A file's name has the token, in two folders."""
    name = token + b".txt"
    line.commit({name: b"n\n", line.name("folder") + b"/" + name: b"n\n"})


def folder_name(line: Line, token: bytes) -> None:
    """A folder's name is the token, and its file holds the token."""
    line.commit({token + b"/file": token})


def branch_name(line: Line, token: bytes) -> None:
    """Only the name of a branch has the token."""
    line.stream.reset(b"refs/heads/fix/" + token, line.tip)


def note(line: Line, token: bytes) -> None:
    """A note has the token."""
    line.stream.note(b"refs/notes/" + line.name("planted"), line.tip, b"see " + token + b"\n")


def stash(line: Line, token: bytes) -> None:
    """A commit of a work tree, whose second parent is that of an index."""
    path = line.name("stash")
    index = line.branch([line.tip], {path: b"index\n"}, message=b"index on main")
    ref = b"refs/" + (line.name("stash") if line.stashed else b"stash")
    line.stashed = True
    line.stream.commit(ref, [line.tip, index], {path: token + b"\n"}, message=b"WIP on main")


def unreachable_commits(line: Line, token: bytes) -> None:
    """Two unreachable commits add and remove the token."""
    path = line.name("unreachable")
    first = line.branch([line.tip], {path: line.within(line.text(3), token)})
    line.branch([first], {path: b"clean\n"})


def many_versions(line: Line, token: bytes) -> None:
    """Forty versions keep the token at changing offsets, with edits around it, so that deltas copy it."""
    path = line.name("versions")
    rows = line.text(400).split(b"\n")
    for _ in range(40):
        for _ in range(3):
            rows[line.random.randrange(len(rows))] = line.text(1).strip()
        if line.random.random() < 0.5:
            rows.insert(0, line.text(2).strip())
        at = line.random.randrange(len(rows))
        line.commit({path: b"\n".join([*rows[:at], b"key = " + token, *rows[at:]])})
    line.commit({path: b"\n".join(rows)})


def joined_by_a_deletion(line: Line, token: bytes) -> None:
    """The token is split; deleting the text between its parts joins them at two copy instructions."""
    path = line.name("joined")
    before, between, after = line.text(60), line.text(40), line.text(60)
    cuts = sorted(line.random.sample(range(1, len(token)), 2))
    pieces = [token[: cuts[0]], token[cuts[0] : cuts[1]], token[cuts[1] :]]
    for separator in (between, b"-", b"", between):
        line.commit({path: before + separator.join(pieces) + after})


def at_the_edges(line: Line, token: bytes) -> None:
    """The token is a whole blob, or its first or last bytes, in binary data."""
    noise = line.random.randbytes(2_000)
    new = [token, token + noise, noise + token, token + token, b"\0" + token + b"\0"]
    line.commit({line.name("edge"): content for content in new})


def odd_lines(line: Line, token: bytes) -> None:
    """Characters of one to four bytes, a byte order mark, CRLF and bad UTF-8 before the token."""
    rows = ["é日本😀 = ".encode(), b"a\r\nb\r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbfx\n", b"\xff\n"]
    line.commit({line.name("odd"): row + token + b"\n" for row in rows})


def symbolic_link(line: Line, token: bytes) -> None:
    """The target of a symbolic link has the token; later a file has it at that path."""
    path = line.name("link")
    line.commit({path: b"../" + token}, mode=LINK)
    line.commit({path: b"../" + token})
    line.commit({path: b"../" + token + b"\n"})


def large_file(line: Line, token: bytes) -> None:
    """Megabytes that do not compress, with the token in the middle, in two versions."""
    path, noise = line.name("large"), line.random.randbytes(3_000_000)
    line.commit({path: line.within(noise, token)})
    line.commit({path: b"v2" + line.within(noise, token)})
    line.commit({path: b"v3"})


WAYS: tuple[Way, ...] = (
    into_an_existing_file,
    added_then_deleted,
    deleted_then_reverted,
    deep_new_path,
    several_files,
    renamed,
    evil_merge,
    merge_of_both_sides,
    dropped_by_a_merge,
    octopus_merge,
    second_root,
    clocks_run_backwards,
    commit_message,
    author_name,
    tag_message,
    tagged_blob,
    file_name,
    folder_name,
    branch_name,
    note,
    stash,
    unreachable_commits,
    many_versions,
    joined_by_a_deletion,
    at_the_edges,
    odd_lines,
    symbolic_link,
    large_file,
)
