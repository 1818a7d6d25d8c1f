<?php

declare(strict_types=1);

spl_autoload_register(fn (string $class) => require __DIR__ . "/src/$class.php");

echo (new Greeting(getenv('GREETED')))->text(), "\n";
