//! One sequence of commands, applied to each engine and to a plain map, has equal results.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::testing::{self, TestDb};
use crate::{Db, Error, Migration, Statement, Val, vals};

const SCHEMA: Migration = Migration {
    name: "entries",
    sql: "CREATE TABLE entry (k TEXT PRIMARY KEY, v INTEGER NOT NULL, note TEXT) STRICT",
};

type Entry = (i64, Option<String>);
type Map = BTreeMap<String, Entry>;

/// A write of one statement.
#[derive(Clone, Debug)]
enum Change {
    Insert(String, Entry),
    Replace(String, Entry),
    Add(String, i64),
    Annotate(Option<String>, Option<String>),
    Remove(String),
    RemoveSmallest(usize),
}

#[derive(Clone, Debug)]
enum Command {
    Write(Vec<Change>),
    /// Up to so many entries from a key on.
    Page(String, usize),
    /// Count and sum of the values of at least this.
    Total(i64),
}

/// What a command answers: rows of a read, or how many each change touched.
type Answer = Result<Vec<Vec<Val>>, &'static str>;

/// Small enough that no sum of them overflows.
fn value() -> impl Strategy<Value = i64> {
    -5..i64::MAX / 64
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "A", "b", "B", "ab", "a b", "Z", "é", "10", "9"])
        .prop_map(str::to_owned)
}

fn entry() -> impl Strategy<Value = Entry> {
    (value(), prop::option::of("[a-zé' ]{0,3}"))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (key(), entry()).prop_map(|(key, entry)| Change::Insert(key, entry)),
        3 => (key(), entry()).prop_map(|(key, entry)| Change::Replace(key, entry)),
        2 => (key(), -9_i64..9).prop_map(|(key, n)| Change::Add(key, n)),
        1 => (prop::option::of("[a-z]"), prop::option::of("[a-z]"))
            .prop_map(|(from, to)| Change::Annotate(from, to)),
        1 => key().prop_map(Change::Remove),
        1 => (0_usize..3).prop_map(Change::RemoveSmallest),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => prop::collection::vec(change(), 1..4).prop_map(Command::Write),
        1 => (key(), 0_usize..5).prop_map(|(key, limit)| Command::Page(key, limit)),
        1 => value().prop_map(Command::Total),
    ]
}

impl Change {
    fn statement(&self) -> Statement {
        match self.clone() {
            Self::Insert(key, (v, note)) => {
                let sql = "INSERT INTO entry (k, v, note) VALUES ($1, $2, $3)";
                Statement::new(sql, vals![key, v, note])
            }
            Self::Replace(key, (v, note)) => {
                let sql = "INSERT INTO entry (note, v, k) VALUES ($3, $2, $1)
                           ON CONFLICT (k) DO UPDATE SET v = excluded.v, note = excluded.note";
                Statement::new(sql, vals![key, v, note])
            }
            Self::Add(key, n) => {
                let sql = "UPDATE entry SET v = v + $2 WHERE k = $1";
                Statement::new(sql, vals![key, n])
            }
            Self::Annotate(from, to) => {
                let sql = "UPDATE entry SET note = $2
                           WHERE note IS NOT DISTINCT FROM $1 RETURNING k";
                Statement::new(sql, vals![from, to])
            }
            Self::Remove(key) => Statement::new("DELETE FROM entry WHERE k = $1", vals![key]),
            Self::RemoveSmallest(count) => {
                let sql = "DELETE FROM entry WHERE k IN (
                             SELECT k FROM entry ORDER BY v, k LIMIT $1
                             /*postgres: FOR UPDATE*/)";
                Statement::new(sql, vals![i64::try_from(count).unwrap()])
            }
        }
    }

    /// How many entries it touched.
    fn apply(&self, map: &mut Map) -> Result<usize, &'static str> {
        Ok(match self.clone() {
            Self::Insert(key, entry) => match map.insert(key, entry) {
                None => 1,
                Some(_) => return Err("duplicate"),
            },
            Self::Replace(key, entry) => {
                map.insert(key, entry);
                1
            }
            Self::Add(key, n) => map.get_mut(&key).map_or(0, |(v, _)| {
                *v += n;
                1
            }),
            Self::Annotate(from, to) => {
                let notes = map.values_mut().filter(|(_, note)| *note == from);
                notes.map(|(_, note)| note.clone_from(&to)).count()
            }
            Self::Remove(key) => usize::from(map.remove(&key).is_some()),
            Self::RemoveSmallest(count) => {
                let mut keys: Vec<_> = map.iter().map(|(k, (v, _))| (*v, k.clone())).collect();
                keys.sort();
                keys.truncate(count);
                keys.iter().filter(|(_, key)| map.remove(key).is_some()).count()
            }
        })
    }
}

async fn on_database(db: &Db, command: &Command) -> Answer {
    let rows = match command {
        Command::Write(changes) => {
            let batch: Vec<_> = changes.iter().map(Change::statement).collect();
            return match db.write(batch).await {
                Ok(outcomes) => Ok(outcomes.iter().map(|o| count(o.affected)).collect()),
                Err(Error::Duplicate(_)) => Err("duplicate"),
                Err(other) => panic!("{command:?}: {other}"),
            };
        }
        Command::Page(from, limit) => {
            let sql = "SELECT k, v, note FROM entry WHERE k >= $1 ORDER BY k LIMIT $2";
            db.query(sql, vals![from.as_str(), i64::try_from(*limit).unwrap()]).await
        }
        Command::Total(least) => {
            let sql = "SELECT count(*), sum(v) FROM entry WHERE v >= $1";
            db.query(sql, vals![*least]).await
        }
    };
    Ok(rows.unwrap().into_iter().map(crate::Row::into_values).collect())
}

fn on_map(map: &mut Map, command: &Command) -> Answer {
    match command {
        Command::Write(changes) => {
            let mut changed = map.clone();
            let touched = changes.iter().map(|change| change.apply(&mut changed));
            let touched = touched.collect::<Result<Vec<_>, _>>()?;
            *map = changed;
            Ok(touched.into_iter().map(count).collect())
        }
        Command::Page(from, limit) => {
            let rest = map.iter().filter(|(key, _)| *key >= from);
            let rows = rest.map(|(key, (v, note))| vals![key.as_str(), *v, note.clone()]);
            Ok(rows.take(*limit).collect())
        }
        Command::Total(least) => {
            let values: Vec<_> = map.values().map(|(v, _)| *v).filter(|v| v >= least).collect();
            let sum = (!values.is_empty()).then(|| values.iter().sum::<i64>());
            let mut row = count(values.len());
            row.push(sum.into());
            Ok(vec![row])
        }
    }
}

fn count(number: impl TryInto<i64>) -> Vec<Val> {
    vec![Val::Int(number.try_into().unwrap_or(-1))]
}

#[test]
fn engines_and_a_map_answer_alike() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let databases: Vec<TestDb> = runtime.block_on(async {
        let mut databases = vec![testing::sqlite().await];
        databases.extend(testing::postgres().await);
        for db in &databases {
            db.migrate("model", &[SCHEMA]).await.unwrap();
        }
        databases
    });
    let check = |commands: Vec<Command>| {
        runtime.block_on(async {
            let mut map = Map::new();
            for db in &databases {
                db.execute("DELETE FROM entry", []).await.unwrap();
            }
            let everything = Command::Page(String::new(), 100);
            for command in commands.iter().chain([&Command::Total(i64::MIN), &everything]) {
                let expected = on_map(&mut map, command);
                for db in &databases {
                    let found = on_database(db, command).await;
                    prop_assert_eq!(&found, &expected, "{:?} of {:?}", command, db);
                }
            }
            Ok(())
        })
    };
    let mut runner = TestRunner::new(Config { cases: 100, ..Config::default() });
    runner.run(&prop::collection::vec(command(), 1..30), check).unwrap();
}
