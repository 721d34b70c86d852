/* Evaluates the expressions in the Alpine attributes of unfold 0.91.0 without eval. Alpine compiles them with the
   constructor of functions, for which the content security policy would have to allow 'unsafe-eval'.

   Understood is what unfold writes: values, objects, lists, operators, conditions, calls, assignments to names,
   `if` and functions of one parameter. Everything else is refused with an error in the console, and so are globals,
   constructors and most properties of what belongs to the browser. Alpine has a build for strict policies, but it is
   published for Node.js only, refuses unfold's globals and functions, and does not fit the version of its plugins.

   A test fails when another version of unfold is installed: then run tests/browser, which opens every page. */
(() => {
  const TOKEN =
    /\s*(?:(?<number>\d+(?:\.\d+)?)|'(?<single>[^'\\]*)'|"(?<double>[^"\\]*)"|(?<name>[A-Za-z_$][\w$]*)|(?<sign>===|!==|=>|==|!=|>=|<=|&&|\|\||[-+!<>=?:;,.()[\]{}]))/y;
  const CONSTANTS = new Map([
    ["true", true],
    ["false", false],
    ["null", null],
    ["undefined", undefined],
  ]);
  // From the weakest to the strongest. Unfold compares values of the same type only, so == is the same as ===.
  const OPERATORS = [
    { "||": (left, right) => left() || right() },
    { "&&": (left, right) => left() && right() },
    {
      "==": (left, right) => left() === right(),
      "!=": (left, right) => left() !== right(),
      "===": (left, right) => left() === right(),
      "!==": (left, right) => left() !== right(),
    },
    {
      "<": (left, right) => left() < right(),
      ">": (left, right) => left() > right(),
      "<=": (left, right) => left() <= right(),
      ">=": (left, right) => left() >= right(),
    },
    { "+": (left, right) => left() + right(), "-": (left, right) => left() - right() },
  ];
  // The functions are in unfold's app.js, which is loaded later.
  const GLOBALS = new Map([
    ["getCurrentTab", () => window.getCurrentTab],
    ["localStorage", () => localStorage],
    ["searchCommand", () => window.searchCommand],
    ["searchForm", () => window.searchForm],
    ["theme", () => window.theme],
    ["window", () => ({ location: { pathname: location.pathname, search: location.search } })],
  ]);
  const FORBIDDEN_PROPERTIES = new Set(["constructor", "prototype", "__proto__"]);
  const BROWSER_PROPERTIES = new Set(["ctrlKey", "getItem", "metaKey", "setItem", "tagName", "target"]);

  function splitTokens(text) {
    const tokens = [];
    const source = text.trim();
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < source.length) {
      const start = TOKEN.lastIndex;
      const found = TOKEN.exec(source);
      if (!found) throw new SyntaxError(`"${source.slice(start, start + 20)}" is not understood`);
      const { number, single, double, name, sign } = found.groups;
      if (name !== undefined) tokens.push({ kind: "name", value: name });
      else if (sign !== undefined) tokens.push({ kind: "sign", value: sign });
      else tokens.push({ kind: "value", value: number === undefined ? (single ?? double) : Number(number) });
    }
    return tokens;
  }

  function checkName(name) {
    // An object would be turned into another name after this check.
    if (typeof name !== "string" && typeof name !== "number") throw new TypeError("A name must be text");
    if (FORBIDDEN_PROPERTIES.has(name)) throw new TypeError(`${name} is forbidden`);
  }

  function readName(scope, name) {
    if (name in scope) return scope[name];
    if (GLOBALS.has(name)) return GLOBALS.get(name)();
    throw new ReferenceError(`${name} is not known`);
  }

  function readProperty(owner, name) {
    checkName(name);
    const isOfBrowser = [Event, EventTarget, Storage].some((kind) => owner instanceof kind);
    if (isOfBrowser && !BROWSER_PROPERTIES.has(name)) throw new TypeError(`${name} is forbidden`);
    return owner[name];
  }

  function call(callee, owner, parameters) {
    if (typeof callee !== "function") throw new TypeError("What is called is not a function");
    return callee.apply(owner, parameters);
  }

  /* Each method reads one part of the expression and returns its node: `read(scope)`, and for some also
     `write(scope, value)` and `call(scope, parameters)`. */
  class Parser {
    constructor(text) {
      this.tokens = splitTokens(text);
      this.position = 0;
    }

    isNext(kind, value) {
      const token = this.tokens[this.position];
      return token?.kind === kind && (value === undefined || token.value === value);
    }

    take(sign) {
      const found = this.isNext("sign", sign);
      if (found) this.position += 1;
      return found;
    }

    expect(sign) {
      if (!this.take(sign)) throw new SyntaxError(`${sign} is missing before ${this.describeNext()}`);
    }

    describeNext() {
      const token = this.tokens[this.position];
      return token ? `"${token.value}"` : "the end";
    }

    next(kind) {
      if (!this.isNext(kind)) throw new SyntaxError(`${this.describeNext()} is not understood`);
      this.position += 1;
      return this.tokens[this.position - 1].value;
    }

    parseAll() {
      const statements = [];
      while (this.position < this.tokens.length) {
        statements.push(this.parseStatement());
        if (this.position < this.tokens.length) this.expect(";");
      }
      return (scope) => statements.reduce((_previous, statement) => statement.read(scope), undefined);
    }

    parseStatement() {
      if (!this.isNext("name", "if")) return this.parseExpression();
      this.position += 1;
      this.expect("(");
      const test = this.parseExpression();
      this.expect(")");
      const then = this.parseExpression();
      return { read: (scope) => (test.read(scope) ? then.read(scope) : undefined) };
    }

    parseExpression() {
      const start = this.position;
      if (this.isNext("name")) {
        const parameter = this.next("name");
        if (this.take("=>")) return this.parseFunction(parameter);
        this.position = start;
      }
      const target = this.parseCondition();
      if (!this.take("=")) return target;
      if (!target.write) throw new SyntaxError("Only names can be assigned to");
      const value = this.parseExpression();
      return { read: (scope) => target.write(scope, value.read(scope)) };
    }

    parseFunction(parameter) {
      const body = this.parseExpression();
      return {
        read: (scope) => (value) => body.read(Alpine.mergeProxies([{ [parameter]: value }, scope])),
      };
    }

    parseCondition() {
      const test = this.parseOperator(0);
      if (!this.take("?")) return test;
      const then = this.parseExpression();
      this.expect(":");
      const otherwise = this.parseExpression();
      return { read: (scope) => (test.read(scope) ? then : otherwise).read(scope) };
    }

    parseOperator(level) {
      if (level === OPERATORS.length) return this.parseUnary();
      let left = this.parseOperator(level + 1);
      for (;;) {
        const sign = Object.keys(OPERATORS[level]).find((candidate) => this.take(candidate));
        if (!sign) return left;
        const [first, second] = [left, this.parseOperator(level + 1)];
        const combine = OPERATORS[level][sign];
        left = {
          read: (scope) =>
            combine(
              () => first.read(scope),
              () => second.read(scope),
            ),
        };
      }
    }

    parseUnary() {
      if (this.take("!")) {
        const operand = this.parseUnary();
        return { read: (scope) => !operand.read(scope) };
      }
      if (this.take("-")) {
        const operand = this.parseUnary();
        return { read: (scope) => -operand.read(scope) };
      }
      return this.parseAccess();
    }

    parseAccess() {
      let node = this.parsePrimary();
      for (;;) {
        if (this.take(".")) {
          const name = this.next("name");
          node = this.buildProperty(node, { read: () => name });
        } else if (this.take("[")) {
          node = this.buildProperty(node, this.parseExpression());
          this.expect("]");
        } else if (this.take("(")) {
          node = this.buildCall(node, this.parseList(")"));
        } else return node;
      }
    }

    buildProperty(owner, name) {
      return {
        read: (scope) => readProperty(owner.read(scope), name.read(scope)),
        call: (scope, parameters) => {
          const object = owner.read(scope);
          return call(readProperty(object, name.read(scope)), object, parameters);
        },
      };
    }

    buildCall(callee, parameters) {
      if (!callee.call) throw new SyntaxError("Only names and properties can be called");
      return {
        read: (scope) =>
          callee.call(
            scope,
            parameters.map((parameter) => parameter.read(scope)),
          ),
      };
    }

    parsePrimary() {
      if (this.take("(")) {
        const inner = this.parseExpression();
        this.expect(")");
        return { read: inner.read };
      }
      if (this.take("[")) {
        const items = this.parseList("]");
        return { read: (scope) => items.map((item) => item.read(scope)) };
      }
      if (this.take("{")) return this.parseObject();
      if (this.isNext("name")) return this.parseName();
      const value = this.next("value");
      return { read: () => value };
    }

    parseName() {
      const name = this.next("name");
      if (CONSTANTS.has(name)) return { read: () => CONSTANTS.get(name) };
      checkName(name);
      return {
        read: (scope) => readName(scope, name),
        write: (scope, value) => {
          scope[name] = value;
          return value;
        },
        call: (scope, parameters) => call(readName(scope, name), scope, parameters),
      };
    }

    parseList(end) {
      const items = [];
      while (!this.take(end)) {
        items.push(this.parseExpression());
        if (!this.isNext("sign", end)) this.expect(",");
      }
      return items;
    }

    parseObject() {
      const entries = [];
      while (!this.take("}")) {
        const name = this.isNext("name") ? this.next("name") : this.next("value");
        checkName(name);
        this.expect(":");
        entries.push([name, this.parseExpression()]);
        if (!this.isNext("sign", "}")) this.expect(",");
      }
      return { read: (scope) => Object.fromEntries(entries.map(([name, node]) => [name, node.read(scope)])) };
    }
  }

  const compiled = new Map();

  function compile(text) {
    if (!compiled.has(text)) compiled.set(text, new Parser(text).parseAll());
    return compiled.get(text);
  }

  function report(error, element, expression) {
    console.error(`The Alpine expression "${expression}" failed: ${error.message}`, element);
  }

  // Alpine calls this once for each attribute, and what it returns whenever it needs the value.
  function prepare(element, expression) {
    let run;
    try {
      // Alpine also gives functions, for example those in the object of an x-bind.
      run = typeof expression === "function" ? null : compile(expression);
    } catch (error) {
      report(error, element, expression);
      return () => {};
    }
    // The magic names ($refs, $watch) are in the data of the elements around.
    const data = [{ $el: element }, ...Alpine.closestDataStack(element)];
    return (receive = () => {}, { scope = {}, params = [] } = {}) => {
      try {
        const names = Alpine.mergeProxies([scope, ...data]);
        let value = run ? run(names) : expression.apply(names, params);
        // A method is named without being called in, for example, x-on:click="open".
        if (typeof value === "function") value = value.apply(names, params);
        if (value instanceof Promise) value.then(receive, (error) => report(error, element, expression));
        else receive(value);
      } catch (error) {
        report(error, element, expression);
      }
    };
  }

  document.addEventListener("alpine:init", () => Alpine.setEvaluator(prepare));
})();
