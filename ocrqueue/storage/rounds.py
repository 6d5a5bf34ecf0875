"""Which rounds of a job have begun and ended, as the job's folder in the spool says.

    round.json   {"round": n}: round n has begun; missing in the first round
    end.json     the summary of a round that has ended, with its number as "round"

Redis holds the state of a job. These files are for the case that Redis loses it: then a job that has not ended is
created again from its folder. An end counts only if it is the end of the newest round, so a worker that writes the end
of an earlier round late changes nothing. Workers of older versions write no "round"; that counts as round 1.
"""

from typing import Any

from ocrqueue.storage.spool import END, Spool, result_name

ROUND = "round.json"


def current_round(spool: Spool, job: str) -> int:
    """The newest round that has begun; 1 if none is noted. Raises StorageError."""
    return _round_in(spool, job, ROUND) or 1


def begin_round(spool: Spool, job: str, round: int) -> None:
    """Note that a round begins: from now on the end of an earlier round no longer counts. Raises StorageError."""
    if current_round(spool, job) < round:
        spool.write_json(job, ROUND, {"round": round})
    ended = _round_in(spool, job, END)
    if ended is not None and ended < round:
        spool.reopen(job)  # workers of older versions only look whether the file exists


def renew_round(spool: Spool, job: str) -> int:
    """The round of a job that is created in a folder which an earlier life of the job may have left; 1 in a new folder.

    If the newest round has ended or has a result, a new round begins, so that nothing of it counts for this job.
    Raises StorageError.
    """
    round = current_round(spool, job)
    if has_ended(spool, job) or spool.exists(job, result_name(round)):
        round += 1
        begin_round(spool, job, round)
    return round


def end_round(spool: Spool, job: str, round: int, summary: dict[str, Any]) -> None:
    """Note that a round has ended, unless a later round has begun. Raises StorageError."""
    if current_round(spool, job) <= round:
        spool.write_json(job, END, {**summary, "round": round})


def has_ended(spool: Spool, job: str) -> bool:
    """Whether the newest round that has begun has ended. Raises StorageError."""
    return read_end(spool, job) is not None


def read_end(spool: Spool, job: str) -> dict[str, Any] | None:
    """The summary of the newest round, with its number as "round"; None if this round has not ended.

    Raises StorageError.
    """
    try:
        summary = spool.read_json(job, END)
    except FileNotFoundError:
        return None
    round = _number(summary)
    return {**summary, "round": round} if round >= current_round(spool, job) else None


def _round_in(spool: Spool, job: str, name: str) -> int | None:
    """The round in a file of the job's folder; 1 if the file does not say, None if there is no such file."""
    try:
        return _number(spool.read_json(job, name))
    except FileNotFoundError:
        return None


def _number(content: dict[str, Any]) -> int:
    found = content.get("round", 1)
    return found if isinstance(found, int) else 1
