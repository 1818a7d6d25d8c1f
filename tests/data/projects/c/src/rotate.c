#include "rotate.h"

int rotate(int letter)
{
	if (letter >= 'a' && letter <= 'z')
		return 'a' + (letter - 'a' + 13) % 26;
	if (letter >= 'A' && letter <= 'Z')
		return 'A' + (letter - 'A' + 13) % 26;
	return letter;
}
