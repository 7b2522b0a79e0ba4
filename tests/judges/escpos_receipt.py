"""How long python-escpos takes to make a receipt of LINES lines: as text, and as one picture
drawn with Pillow (without joining letters, which it does not do by itself).

    escpos_receipt.py LINES     prints {"text_s": ..., "raster_s": ...}, the best of several
"""

import json
import sys
import time

from escpos.printer import Dummy
from PIL import Image, ImageDraw, ImageFont

WIDTH = 576
LINE = 30


def text(lines):
    printer = Dummy()
    printer.set(align="center", bold=True, double_width=True, double_height=True)
    printer.text("Fournil\n")
    printer.set(align="left", bold=False, normal_textsize=True)
    for number in range(lines):
        printer.text(f"{number} x Pâte d'amande à l'œuf".ljust(36) + f"{number * 10},00".rjust(12) + "\n")
    printer.cut()
    return printer.output


def raster(lines, font):
    paper = Image.new("1", (WIDTH, LINE * lines), 1)
    draw = ImageDraw.Draw(paper)
    for number in range(lines):
        draw.text((WIDTH - 300, number * LINE), f"خبز الريف {number}", font=font, fill=0)
        draw.text((0, number * LINE), f"{number * 10},00", font=font, fill=0)
    printer = Dummy()
    printer.image(paper, impl="bitImageRaster")
    printer.cut()
    return printer.output


def best(make, times):
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        assert make()
        taken.append(time.perf_counter() - began)
    return min(taken)


def main():
    lines = int(sys.argv[1])
    font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 24)
    text_s = best(lambda: text(lines), 20)
    raster_s = best(lambda: raster(lines, font), 10)
    print(json.dumps({"text_s": text_s, "raster_s": raster_s}))


main()
