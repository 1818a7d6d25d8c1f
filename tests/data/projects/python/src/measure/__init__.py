import sys
from importlib.metadata import version


def mean(numbers):
    return sum(numbers) / len(numbers)


def main():
    words = sys.argv[1:]
    if words == ["--version"]:
        print("measure", version("measure"))
    else:
        print(mean([float(word) for word in words]))
