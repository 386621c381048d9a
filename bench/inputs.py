#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""inputs.py DIR: writes what the programs work on: text, text.gz, tables.sql, source.i. The same on every machine."""
import gzip
import os
import random
import sys

TEXT_SIZE = 3_000_000
SOURCE_FUNCTIONS = 95


def text(rng):
    """Prose of a kind: words by Zipf's law, now and then a number, lines of some 80 characters."""
    syllables = ["ta", "ri", "on", "el", "ma", "su", "ke", "lo", "in", "de", "per", "gra", "st", "wo", "qui", "ly"]
    words = ["".join(rng.choice(syllables) for _ in range(rng.randint(1, 4))) for _ in range(6000)]
    weights = [1 / (i + 3) for i in range(len(words))]
    line, size = [], 0
    out = []
    for word in rng.choices(words, weights, k=TEXT_SIZE // 6):
        if rng.random() < 0.03:
            word = str(rng.randrange(10000))
        line.append(word)
        size += len(word) + 1
        if size > 75:
            out.append(" ".join(line))
            line, size = [], 0
    return ("\n".join(out) + "\n").encode()[:TEXT_SIZE]


def sql(rng):
    """Inserts, an index, joins, grouping, updates."""
    yield "create table item(id integer primary key, name text, price real, kind integer);"
    yield "create table sale(item integer, amount integer, day integer);"
    yield "begin;"
    yield ("with recursive n(i) as (select 1 union all select i + 1 from n where i < 8000) insert into item "
           "select i, 'item ' || (i * 7919 % 8009), (i * 37 % 1000) / 8.0, i % 23 from n;")
    for _ in range(4000):
        rows = ",".join("(%d,%d,%d)" % (rng.randint(1, 8000), rng.randint(1, 9), rng.randint(1, 365)) for _ in range(12))
        yield "insert into sale values %s;" % rows
    yield "create index sale_item on sale(item);"
    yield "commit;"
    yield "select kind, count(*), sum(amount * price) from item join sale on id = item group by kind order by kind;"
    yield "select name from item where name like '%99%' order by name limit 5;"
    yield "update item set price = price * 1.5 where id in (select item from sale where day between 50 and 90);"
    yield "select day, count(distinct item), max(price) from sale join item on id = item group by day having day % 50 = 0;"
    yield "select substr(name, 1, 7), avg(price) from item group by 1 order by 2 desc, 1 limit 8;"
    yield "delete from sale where amount < 3; select count(*), total(amount) from sale;"


def source(rng):
    """C without headers, so that compilers for both machines read the same."""
    yield "typedef struct node { struct node *next; int key; unsigned long count; double weight; } node;"
    yield "static unsigned long table[256];"
    for f in range(SOURCE_FUNCTIONS):
        a, b, c = rng.randint(3, 99), rng.randint(1, 30), rng.randint(2, 7)
        yield "static int helper_%d(const node *n, int x)" % f
        yield "{"
        yield "\tint sum = x * %d;" % a
        yield "\tfor (; n; n = n->next) {"
        yield "\t\tif (n->key > sum + %d)" % b
        yield "\t\t\tsum += n->key / %d;" % c
        yield "\t\telse if ((n->key ^ x) & %d)" % (1 << rng.randint(0, 6))
        yield "\t\t\tsum -= (int)(n->count %% %d);" % (a + c)
        yield "\t\ttable[(unsigned)sum & 255] += n->count << %d;" % rng.randint(0, 5)
        yield "\t}"
        yield "\treturn sum;"
        yield "}"
        yield "unsigned long work_%d(node *list, const unsigned char *text, int size)" % f
        yield "{"
        yield "\tunsigned long hash = %du;" % rng.randrange(1 << 30)
        yield "\tdouble mean = 0;"
        yield "\tfor (int i = 0; i < size; i++) {"
        yield "\t\tswitch (text[i] & 7) {"
        for case in range(rng.randint(4, 7)):
            yield "\t\tcase %d: hash = hash * %d + (hash >> %d) + text[i]; break;" % (
                case, rng.randrange(3, 999, 2), rng.randint(5, 27))
        yield "\t\tdefault: hash ^= table[(hash + text[i]) & 255];"
        yield "\t\t}"
        yield "\t}"
        if f:
            yield "\thash += (unsigned long)helper_%d(list, (int)hash);" % rng.randrange(f)
        yield "\tfor (node *n = list; n; n = n->next)"
        yield "\t\tmean += n->weight * %d.5 + helper_%d(n, %d);" % (a, f, c)
        yield "\treturn hash + (unsigned long)mean;"
        yield "}"


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(os.path.join(folder, "source.i")):
        return
    data = text(random.Random(1))

    def write(name, content):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(content)
    write("text", data)
    write("text.gz", gzip.compress(data * 4, 6, mtime=0))
    write("tables.sql", ("\n".join(sql(random.Random(2))) + "\n").encode())
    write("source.i", ("\n".join(source(random.Random(3))) + "\n").encode())


main()
