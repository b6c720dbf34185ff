"""What a cycle costs, in requests and statements: numbers that do not depend on the machine."""
