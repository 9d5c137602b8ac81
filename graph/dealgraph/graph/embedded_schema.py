"""The tables of the embedded graph. Nodes are integers inside; README.md explains every table."""

import re
from typing import Final

VERSION: Final = 8
"""Format of the file. It rises when a table changes, or a field of a value stored as a body."""

SCHEMA: Final = """
create table if not exists node (
  key integer primary key, kind integer not null, id text not null,
  unique (kind, id)
);
create table if not exists node_claim (
  node integer not null, recorded_at integer not null, valid_from integer not null,
  primary key (node, recorded_at)
) without rowid;
create table if not exists attribute (
  node integer not null, name text not null, value text not null,
  recorded_at integer not null, valid_from integer not null,
  last_recorded_at integer not null, last_valid_from integer not null,
  primary key (node, name, value, recorded_at)
) without rowid;
create table if not exists edge (
  source integer not null, kind integer not null, target integer not null,
  recorded_at integer not null, valid_from integer not null, valid_to integer not null,
  primary key (source, kind, target, recorded_at)
) without rowid;
create index if not exists edge_by_target on edge (target, kind, source);
create table if not exists ground (
  source integer not null, target integer not null, valid_from integer not null,
  recorded_at integer not null, confidence real not null, rule text not null,
  primary key (source, target, valid_from, recorded_at, confidence, rule)
) without rowid;
create table if not exists action (
  key integer primary key, id text not null, at integer not null, recorded_at integer not null,
  opportunity integer, session integer, actor integer, kind integer not null,
  role integer not null, named integer not null, valence real, weight real, body blob not null
);
create table if not exists roled (node integer primary key);
create table if not exists fresh_id (
  sum integer not null, key integer not null, primary key (sum, key)
) without rowid;
create table if not exists settled_id (
  sum integer not null, key integer not null, primary key (sum, key)
) without rowid;
create index if not exists action_by_opportunity on action (opportunity, at);
create index if not exists action_by_session on action (session, at);
create index if not exists action_by_actor on action (actor, at, named, role);
create index if not exists action_by_stage on action (opportunity, at) where kind = 12;
create index if not exists action_by_change on action (at) where kind = 12;
create table if not exists retraction (
  action text primary key, recorded_at integer not null, at integer not null
) without rowid;
create table if not exists signal (
  key integer primary key, id text not null, recorded_at integer not null, at integer not null,
  opportunity text not null, session text not null, body blob not null
);
create index if not exists signal_by_id on signal (id, recorded_at);
create index if not exists signal_by_opportunity on signal (opportunity, id);
create index if not exists signal_by_time on signal (recorded_at, id);
create index if not exists signal_by_session on signal (session, id);
create table if not exists evidence (
  action text not null, signal text not null,
  primary key (action, signal)
) without rowid;
create table if not exists tally (noun integer primary key, count integer not null);
create table if not exists timer (key text primary key, due integer not null) without rowid;
create table if not exists event_time (
  only integer primary key check (only = 0), reached integer not null, swept integer not null,
  "offset" integer not null, ingested_at integer not null
);
create table if not exists progress (
  only integer primary key check (only = 0), position integer not null
);
"""
"""Script that creates the tables; it can be joined with another schema in one file."""

CLEAR: Final = tuple(
    f"delete from {table}" for table in re.findall(r"create table if not exists (\w+)", SCHEMA)
)
"""Statements that empty all tables."""

EDGE_NOUNS: Final = 100
"""`tally.noun` is the number of a node kind, or of an edge kind plus this."""
