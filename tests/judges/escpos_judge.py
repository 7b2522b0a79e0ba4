"""An independent producer and client: python-escpos against the simulated printer.

Usage: escpos_judge.py HOST PORT
Prints one line of JSON: what the printer said of itself before and after a receipt
with text, bold, accents, QR code, barcode, image and cut was sent.
"""

import json
import sys

from escpos.printer import Network
from PIL import Image


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    printer = Network(host, port=port, timeout=10, profile="TM-T88V")
    said = {"online": printer.is_online(), "paper": printer.paper_status()}

    printer.set(align="center", bold=True, double_height=True, double_width=True)
    printer.text("FOURNIL\n")
    printer.set(align="left", bold=False, normal_textsize=True)
    printer.text("Pâte à crêpes, œuf, thé glacé\n")
    printer.set(align="center")
    printer.qr("https://fournil.example/t/1", native=True, size=6)
    printer.barcode("5901234123457", "EAN13", height=64, width=2, function_type="B")
    picture = Image.new("1", (64, 24), 1)
    picture.paste(0, (8, 8, 56, 16))
    printer.image(picture, impl="bitImageRaster")
    printer.set(align="left")
    printer.text("Merci\n")
    printer.cut()
    printer.cashdraw(2)

    said["paper_after"] = printer.paper_status()
    printer.close()
    print(json.dumps(said))


if __name__ == "__main__":
    main()
