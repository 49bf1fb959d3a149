"""``python -m isthmus``: tells build systems where the headers and the CMake configuration are."""

import argparse

import isthmus


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m isthmus", description=isthmus.__doc__)
    question = parser.add_mutually_exclusive_group(required=True)
    question.add_argument("--version", action="version", version=isthmus.__version__)
    question.add_argument(
        "--cmake-dir",
        dest="answer",
        action="store_const",
        const=isthmus.cmake_dir(),
        help="print the folder with isthmusConfig.cmake",
    )
    question.add_argument(
        "--include-dir",
        dest="answer",
        action="store_const",
        const=isthmus.include_dir(),
        help="print the folder with the headers",
    )
    print(parser.parse_args().answer)


if __name__ == "__main__":
    main()
