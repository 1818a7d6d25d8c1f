int rotate(int letter);
