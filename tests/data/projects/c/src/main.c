#include <stdio.h>
#include "rotate.h"

int main(void)
{
	int letter;

	while ((letter = getchar()) != EOF)
		putchar(rotate(letter));
	return 0;
}
