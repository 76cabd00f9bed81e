#!/usr/bin/env python3
"""Writes a text file as a C++ source that holds it: embed.py INPUT OUTPUT"""

import sys

PIECE = 8000  # Compilers need not take longer literals than 64 KiB; those that follow are joined.


def main(source, target):
    with open(source, encoding="utf-8") as file:
        text = file.read()
    if ')page"' in text:
        sys.exit(f'{source}: has the end of a C++ literal, )page"')
    pieces = [text[i:i + PIECE] for i in range(0, len(text), PIECE)]
    literal = "\n".join(f'R"page({piece})page"' for piece in pieces)
    with open(target, "w", encoding="utf-8") as file:
        file.write('#include "server/monitor/page/page.hpp"\n\nnamespace peal::server::monitor {\n\n'
                   f"const std::string_view page_text =\n{literal};\n\n}}\n")


main(*sys.argv[1:])
