# SPDX-License-Identifier: MIT
"""prog:python3: calls, dictionaries, strings, classes, big integers and floats in some 0.3 s; prints what it computed."""


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)


def words(n):
    counts, seed = {}, 42
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) % 2147483648
        word = "w%d" % (seed % 997)
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]


def queens(n, row=0, columns=(), left=(), right=()):
    if row == n:
        return 1
    return sum(queens(n, row + 1, columns + (c,), left + (row + c,), right + (row - c,))
               for c in range(n)
               if c not in columns and row + c not in left and row - c not in right)


def vectors(n):
    total = Vector(0, 0)
    for i in range(n):
        total = total + Vector(i & 7, i * 0.5)
    return total.x, total.y


def text(n):
    line = "the quick brown fox jumps over the lazy dog"
    return sum(len(line.replace("o", "00").upper().split()) + line.find("dog") for _ in range(n))


print(fib(24))
print(words(80000))
print(queens(7))
print(vectors(100000))
print(text(20000))
print(sum(divmod(7 ** 2000, k)[1] for k in range(10 ** 9, 10 ** 9 + 500)))
