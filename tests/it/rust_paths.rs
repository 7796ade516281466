//! Reads the paths that Rust source names, without comments and literals, with `use` groups taken
//! apart and `self` and `super` resolved.
//!
//! It sees the text only, not what macros make of it. `layers` judges the paths.

/// A path as it would be written from the root of the crate, or from another crate's name.
#[derive(Debug)]
pub(crate) struct NamedPath {
    /// Line, counted from 1.
    pub(crate) line: usize,
    /// Its names; `crate` first where it leads into this crate.
    pub(crate) segments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Sep,
    Other(char),
}

/// The paths of a file that is the module `module` (`["tui", "view"]`).
pub(crate) fn paths(text: &str, module: &[String]) -> Vec<NamedPath> {
    Reader {
        tokens: tokens(text),
        module: module.to_vec(),
        inline: Vec::new(),
        found: Vec::new(),
    }
    .read()
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    module: Vec<String>,
    /// Depth of braces at which each inline module began.
    inline: Vec<usize>,
    found: Vec<NamedPath>,
}

impl Reader {
    fn word(&self, i: usize) -> Option<&str> {
        match self.tokens.get(i) {
            Some((_, Token::Word(w))) => Some(w),
            _ => None,
        }
    }

    fn is(&self, i: usize, c: char) -> bool {
        matches!(self.tokens.get(i), Some((_, Token::Other(o))) if *o == c)
    }

    fn is_sep(&self, i: usize) -> bool {
        matches!(self.tokens.get(i), Some((_, Token::Sep)))
    }

    fn read(mut self) -> Vec<NamedPath> {
        let (mut i, mut depth, mut in_use) = (0, 0_usize, false);
        while i < self.tokens.len() {
            match &self.tokens[i].1 {
                Token::Other('{') => depth += 1,
                Token::Other('}') => {
                    depth = depth.saturating_sub(1);
                    if self.inline.last() == Some(&depth) {
                        self.inline.pop();
                        self.module.pop();
                    }
                }
                Token::Other(';') => in_use = false,
                Token::Word(w) if w == "use" => in_use = true,
                Token::Word(w) if w == "extern" && self.word(i + 1) == Some("crate") => {
                    in_use = true;
                    i += 1;
                }
                Token::Word(w) if w == "mod" && self.is(i + 2, '{') => {
                    let name = self.word(i + 1).unwrap_or_default().to_owned();
                    self.module.push(name);
                    self.inline.push(depth);
                    depth += 1;
                    i += 3;
                    continue;
                }
                Token::Word(w) if w == "path" && self.is_attribute(i) => {
                    // A file from elsewhere would be read under another room's name.
                    let line = self.tokens[i].0;
                    let segments = vec!["crate".to_owned()];
                    self.found.push(NamedPath { line, segments });
                }
                Token::Word(_) if self.begins_path(i) => {
                    i = self.tree(i, &[], in_use);
                    continue;
                }
                _ => {}
            }
            i += 1;
        }
        self.found
    }

    fn is_attribute(&self, i: usize) -> bool {
        i >= 2 && self.is(i - 1, '[') && self.is(i - 2, '#') && self.is(i + 1, '=')
    }

    /// A word after `.` is a member, and one after `>::` belongs to a type.
    fn begins_path(&self, i: usize) -> bool {
        let member = i >= 1 && self.is(i - 1, '.') && !(i >= 2 && self.is(i - 2, '.'));
        let of_type = i >= 2 && self.is_sep(i - 1) && self.is(i - 2, '>');
        !member && !of_type
    }

    /// Reads one path, with its groups, that continues `prefix`; says where it ends.
    fn tree(&mut self, mut i: usize, prefix: &[String], in_use: bool) -> usize {
        let line = self.tokens[i].0;
        let mut segments = prefix.to_vec();
        loop {
            if self.is(i, '{') {
                return self.group(i, &segments, in_use);
            }
            if self.is(i, '*') {
                segments.push("*".to_owned());
                i += 1;
                break;
            }
            let Some(word) = self.word(i) else {
                break;
            };
            segments.push(word.to_owned());
            i += 1;
            let goes_on = self.is_sep(i)
                && (self.word(i + 1).is_some() || self.is(i + 1, '{') || self.is(i + 1, '*'));
            if !goes_on {
                break;
            }
            i += 1;
        }
        if segments.len() > 1 || in_use {
            let segments = self.resolved(segments);
            self.found.push(NamedPath { line, segments });
        }
        i.max(1)
    }

    /// Reads `{a, b::c}` after a prefix; says where it ends.
    fn group(&mut self, open: usize, prefix: &[String], in_use: bool) -> usize {
        let mut i = open + 1;
        while i < self.tokens.len() && !self.is(i, '}') {
            if self.word(i).is_some() || self.is(i, '*') {
                i = self.tree(i, prefix, in_use);
                if self.word(i) == Some("as") {
                    i += 2;
                }
            } else {
                i += 1;
            }
        }
        i + 1
    }

    /// From the root: `self` and `super` are taken away wherever they lead.
    fn resolved(&self, segments: Vec<String>) -> Vec<String> {
        let relative = matches!(segments.first().map(String::as_str), Some("self" | "super"));
        let mut at: Vec<String> = if relative {
            std::iter::once("crate".to_owned())
                .chain(self.module.iter().cloned())
                .collect()
        } else {
            Vec::new()
        };
        for segment in segments {
            match segment.as_str() {
                "self" => {}
                "super" => {
                    at.pop();
                }
                _ => at.push(segment),
            }
        }
        at
    }
}

/// Words, `::` and other characters with their lines; without blanks, comments, literals, lifetimes.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut i, mut line) = (0, 1);
    let mut out = Vec::new();
    while i < chars.len() {
        let c = at(i);
        let start = i;
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_comment(&chars, i);
        } else if c == '"' {
            i = after_string(&chars, i);
        } else if c == '\'' {
            i = after_quote(&chars, i);
        } else if let Some(end) = after_raw_string(&chars, i) {
            i = end;
        } else if c == 'b' && (at(i + 1) == '"' || at(i + 1) == '\'') {
            i += 1;
        } else if c == '_' || c.is_alphanumeric() {
            while at(i) == '_' || at(i).is_alphanumeric() {
                i += 1;
            }
            let word: String = chars[start..i].iter().collect();
            let number = word.starts_with(|c: char| c.is_ascii_digit());
            // Raw identifiers are the same names.
            let raw = word == "r" && at(i) == '#';
            if raw {
                i += 1;
            } else {
                out.push((
                    line,
                    if number {
                        Token::Other('0')
                    } else {
                        Token::Word(word)
                    },
                ));
            }
        } else if c == ':' && at(i + 1) == ':' {
            i += 2;
            out.push((line, Token::Sep));
        } else {
            i += 1;
            if !c.is_whitespace() {
                out.push((line, Token::Other(c)));
            }
        }
        line += chars[start..i.min(chars.len())]
            .iter()
            .filter(|c| **c == '\n')
            .count();
    }
    out
}

fn after_comment(chars: &[char], mut i: usize) -> usize {
    let mut depth = 0;
    while i < chars.len() {
        match chars[i..] {
            ['/', '*', ..] => {
                depth += 1;
                i += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    i
}

fn after_string(chars: &[char], open: usize) -> usize {
    let mut i = open + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// `r"…"`, `r#"…"#`, `br"…"`; nothing if none begins here.
fn after_raw_string(chars: &[char], start: usize) -> Option<usize> {
    let mut i = start;
    if start > 0 && (chars[start - 1] == '_' || chars[start - 1].is_alphanumeric()) {
        return None;
    }
    if matches!(chars.get(i), Some('b' | 'c')) {
        i += 1;
    }
    if chars.get(i) != Some(&'r') {
        return None;
    }
    i += 1;
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    i += hashes;
    if chars.get(i) != Some(&'"') {
        return None;
    }
    i += 1;
    while i < chars.len() {
        let closes =
            chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
        if closes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(i)
}

/// A character, or a lifetime.
fn after_quote(chars: &[char], open: usize) -> usize {
    match chars[open + 1..] {
        ['\\', ..] => {
            let mut i = open + 3;
            while i < chars.len() && chars[i] != '\'' {
                i += 1;
            }
            i + 1
        }
        [_, '\'', ..] => open + 3,
        _ => {
            let mut i = open + 1;
            while i < chars.len() && (chars[i] == '_' || chars[i].is_alphanumeric()) {
                i += 1;
            }
            i.max(open + 1)
        }
    }
}
