<?php

declare(strict_types=1);

final class Greeting
{
    public function __construct(private string $name)
    {
    }

    public function text(): string
    {
        return "hello, {$this->name}, from PHP " . PHP_MAJOR_VERSION;
    }
}
