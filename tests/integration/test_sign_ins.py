"""Sign-ins to the studio: who gets in, for how long, and what the database knows of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from shared import sign_ins
from shared.database import now
from shared.models import SignIn, SigningKey
from shared.tokens import Token

DESK = Token("desk", "a-long-secret")


def begin(database, token=DESK) -> str:
    with database.writing() as session:
        return sign_ins.begin(session, token)


def find(database, secret, tokens=(DESK,)):
    with database.reading() as session:
        return sign_ins.find(session, secret, tokens)


def age(database, seconds) -> None:
    with database.writing() as session:
        session.execute(update(SignIn).values(expires_at=now(sign_ins.LIFETIME_SECONDS - seconds)))


def test_whoever_signed_in_is_known_by_their_token(database):
    assert find(database, begin(database)) == (DESK, False)
    assert find(database, "somebody else's") is None


@pytest.mark.parametrize("tokens", [(), (Token("other", DESK.secret),), (Token("desk", "another secret"),)])
def test_a_token_that_is_gone_or_changed_ends_its_sign_ins(database, tokens):
    assert find(database, begin(database), tokens) is None


def test_a_sign_in_is_over_after_its_time_unless_it_is_used(database):
    secret = begin(database)
    age(database, sign_ins.PROLONG_SECONDS + 5)
    assert find(database, secret) == (DESK, True)
    with database.writing() as session:
        sign_ins.prolong(session, secret)
    assert find(database, secret) == (DESK, False)

    age(database, sign_ins.LIFETIME_SECONDS + 1)
    assert find(database, secret) is None
    begin(database)
    with database.writing() as session:
        assert sign_ins.sweep(session) == 1
        assert len(session.scalars(select(SignIn)).all()) == 1


def test_one_browser_is_signed_out_and_the_others_stay(database):
    first, second = begin(database), begin(database)
    with database.writing() as session:
        sign_ins.end(session, first)

    assert find(database, first) is None
    assert find(database, second) == (DESK, False)


def test_the_database_knows_neither_the_browsers_secret_nor_the_token(database):
    secret = begin(database)
    with database.reading() as session:
        [row] = session.execute(select(SignIn.__table__)).all()

    assert secret not in str(row)
    assert DESK.secret not in str(row)


def test_all_gateways_sign_with_one_key_whoever_makes_it(database):
    def key(_) -> str:
        with database.writing() as session:
            return sign_ins.signing_key(session)

    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(key, range(8)))

    assert len(keys) == 1
    with database.reading() as session:
        assert session.scalars(select(SigningKey.secret)).all() == [*keys]
