"""Prints src/hpo/sobol_table.inc: primitive polynomials and first direction numbers (Joe and Kuo 2008) of dimensions
2 to 256, as scipy 1.17.1 carries them.

    sobol_table.py > src/hpo/sobol_table.inc
"""
import pathlib

import numpy
import scipy.stats

DIMENSIONS = 256


def main():
    table = numpy.load(pathlib.Path(scipy.stats.__file__).parent / "_sobol_direction_numbers.npz")
    print("// Written by tools/golden/hpo/sobol_table.py: polynomial, then one direction number for each of its degrees.")
    for dimension in range(1, DIMENSIONS):
        polynomial = int(table["poly"][dimension])
        degree = polynomial.bit_length() - 1
        numbers = ", ".join(str(int(v)) for v in table["vinit"][dimension][:degree])
        print(f"{{{polynomial}, {{{numbers}}}}},")


main()
