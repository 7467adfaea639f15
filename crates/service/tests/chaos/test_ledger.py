"""Tests of the checks: they find each kind of violation, and nothing else."""

import random
import unittest

from chaos.ledger import (
    CREATED, EXPIRED, PROPAGATION, REVOKED_EVENT, Check, Ledger, State, Token, evaluate_check,
    evaluate_events, evaluate_listing,
)
from chaos.replica import TOKEN
from chaos.schedule import KINDS, SILENT_SECONDS, conflict, duration, schedule
from chaos.tokens import unknown


def revoked():
    """Returns a token whose revocation replica 0 acknowledged at 100 s."""
    return Token("a", "secret", 0, "name", state=State.REVOKED, revoked_at=100.0, revoked_on=0)


def check(status, begun=0.0, **changes):
    """Returns a check on replica 0 of a token that is always live."""
    facts = {"replica": 0, "before": State.LIVE, "after": State.LIVE, "clocks_right": True, **changes}
    return Check(status, begun=begun, **facts)


class Checks(unittest.TestCase):
    """Evaluation of responses to checks."""

    def test_a_revoked_token_is_never_accepted_by_the_replica_that_acknowledged(self):
        dead = {"before": State.REVOKED, "after": State.REVOKED}
        self.assertIn("accepted", evaluate_check(revoked(), check(200, 100.001, **dead)))
        self.assertIsNone(evaluate_check(revoked(), check(401, 100.001, **dead)))
        self.assertIsNone(evaluate_check(revoked(), check(503, 100.001, **dead)))

    def test_another_replica_has_the_documented_time(self):
        dead = {"before": State.REVOKED, "after": State.REVOKED, "replica": 1}
        self.assertIsNone(evaluate_check(revoked(), check(200, 100 + PROPAGATION - 0.01, **dead)))
        self.assertIn("accepted", evaluate_check(revoked(), check(200, 100 + PROPAGATION + 0.01, **dead)))

    def test_a_wrong_clock_excuses_a_refusal_and_not_an_acceptance(self):
        live = Token("a", "secret", 0, "name")
        self.assertIn("refused", evaluate_check(live, check(401)))
        self.assertIsNone(evaluate_check(live, check(401, clocks_right=False)))
        dead = {"before": State.REVOKED, "after": State.REVOKED, "clocks_right": False}
        self.assertIn("accepted", evaluate_check(revoked(), check(200, 100.5, **dead)))

    def test_a_revocation_under_way_allows_both_answers(self):
        token = Token("a", "secret", 0, "name", state=State.ASKED)
        for status in (200, 401):
            self.assertIsNone(evaluate_check(token, check(status, after=State.ASKED)))
            self.assertIsNone(evaluate_check(token, check(status, before=State.ASKED, after=State.REVOKED)))


class Databases(unittest.TestCase):
    """Evaluation of listings and audit trails."""

    def test_lost_creations_updates_and_revocations_are_found(self):
        live, dead = Token("b", "secret", 0, "new"), revoked()
        self.assertEqual([], list(evaluate_listing([live, dead], {"b": "new"})))
        for listed in ({}, {"b": "old"}, {"a": "name", "b": "new"}):
            self.assertEqual(1, len(list(evaluate_listing([live, dead], listed))), listed)

    def test_unacknowledged_changes_may_be_either(self):
        token = Token("b", "secret", 0, "old", asked_names={"new"}, state=State.ASKED)
        for listed in ({}, {"b": "old"}, {"b": "new"}):
            self.assertEqual([], list(evaluate_listing([token], listed)))
        self.assertEqual(1, len(list(evaluate_listing([token], {"b": "other"}))))

    def test_each_acknowledged_change_has_exactly_one_event(self):
        def found(token, created, events):
            counts = {(token.id, CREATED): created, (token.id, REVOKED_EVENT): events}
            return len(list(evaluate_events([token], counts)))

        live, asked = Token("b", "secret", 0, "n"), Token("c", "secret", 0, "n", state=State.ASKED)
        self.assertEqual([0, 1, 1, 1], [found(live, *n) for n in ((1, 0), (0, 0), (2, 0), (1, 1))])
        self.assertEqual([0, 0, 1], [found(asked, *n) for n in ((1, 0), (1, 1), (1, 2))])
        early = {(live.id, CREATED): 1, (live.id, EXPIRED): 1}
        self.assertEqual(1, len(list(evaluate_events([live], early))))
        self.assertEqual([0, 1, 1], [found(revoked(), *n) for n in ((1, 1), (1, 0), (1, 2))])

    def test_the_ledger_keeps_what_was_acknowledged(self):
        ledger, rng = Ledger(), random.Random(1)
        ledger.created(Token("a", "secret", 0, "name"))
        token = ledger.reserve(rng)
        self.assertIsNone(ledger.reserve(rng), "a token is changed by one worker at a time")
        ledger.renaming(token, "new")
        self.assertEqual(("name", {"new"}), (token.name, token.asked_names))
        ledger.renamed(token, "new")
        self.assertEqual(("new", set()), (token.name, token.asked_names))
        ledger.revoking(token)
        self.assertEqual([], ledger.live())
        ledger.revoked(token, 1, 5.0)
        self.assertEqual([token], ledger.dead())
        self.assertEqual({"creation": 1, "update": 1, "revocation": 1}, dict(ledger.acknowledged))


class Schedules(unittest.TestCase):
    """The schedule."""

    def test_a_schedule_depends_on_the_seed_alone_and_has_every_kind(self):
        for kind, kinds in KINDS.items():
            for seconds in (60, 900):
                slots = schedule(kind, seconds, 1)
                self.assertEqual(slots, schedule(kind, seconds, 1))
                self.assertNotEqual(slots, schedule(kind, seconds, 2))
                self.assertEqual(set(kinds), {one for slot in slots for one in slot.kinds})
                self.assertGreaterEqual(duration(slots), seconds)
                self.assertLess(duration(slots), seconds + SILENT_SECONDS + 20)

    def test_slots_have_no_conflicts(self):
        for slot in schedule("PostgreSQL", 3600, 3):
            if len(slot.kinds) == 2:
                self.assertFalse(conflict(*slot.kinds), slot)


class Tokens(unittest.TestCase):
    """Tokens of the flood, and the search for whole tokens."""

    def test_whole_tokens_are_found_and_parts_are_not(self):
        token = unknown(random.Random(1)).encode()
        self.assertTrue(TOKEN.search(b"error: " + token))
        self.assertFalse(TOKEN.search(b"error: " + token[:40]))


if __name__ == "__main__":
    unittest.main()
