//! The entries of the library, in alphabetical order.

use super::{Dialect, Example, ForeignForm, Function, Kind, Parameter, Passes, Run, Topic};
use crate::functions::{choices, conversions, dates, generated, lists, roles, texts};
use crate::replace;
use crate::syntax::Word;

const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Parameter {
    Parameter {
        name,
        kind,
        optional: false,
        meaning,
    }
}

const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Parameter {
    Parameter {
        name,
        kind,
        optional: true,
        meaning,
    }
}

const fn example(
    expression: &'static str,
    attributes: &'static str,
    result: &'static str,
) -> Example {
    Example {
        expression,
        attributes,
        result,
    }
}

const fn function(
    name: &'static str,
    topic: Topic,
    parameters: &'static [Parameter],
    run: Run,
    summary: &'static str,
) -> Function {
    Function {
        name,
        topic,
        parameters,
        summary,
        note: "",
        examples: &[],
        dialect: Dialect::Provisioning,
        outermost: false,
        repeating: 0,
        fewest: parameters.len(),
        short_form: &[],
        words: &[],
        foreign_form: None,
        passes: Passes::Nothing,
        run,
    }
}

impl Function {
    const fn examples(self, examples: &'static [Example]) -> Self {
        Self { examples, ..self }
    }

    const fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }

    const fn fewest(self, fewest: usize) -> Self {
        Self { fewest, ..self }
    }

    const fn repeating(self, repeating: usize) -> Self {
        Self { repeating, ..self }
    }

    const fn passes(self, passes: Passes) -> Self {
        Self { passes, ..self }
    }

    const fn outermost(self) -> Self {
        Self {
            outermost: true,
            ..self
        }
    }

    const fn cloud_sync(self) -> Self {
        Self {
            dialect: Dialect::CloudSync,
            ..self
        }
    }

    const fn undocumented(self) -> Self {
        Self {
            dialect: Dialect::Undocumented,
            ..self
        }
    }

    const fn words(self, words: &'static [Word]) -> Self {
        Self { words, ..self }
    }
}

const SOURCE: Parameter = required("source", Kind::Text, "the text");
const VALUE: Parameter = required("value", Kind::Any, "what to look at");
const ROLES: Parameter = required(
    "appRoleAssignments",
    Kind::Roles,
    "the attribute `[appRoleAssignments]`",
);
const INTERVAL: Parameter = required(
    "interval",
    Kind::Interval,
    "`yyyy` year, `m` month, `ww` week, `d` day, `h` hour, `n` minute, `s` second",
);
const INPUT_FORMAT: Parameter =
    required("inputFormat", Kind::Format, "the form that the source has");
const OUTPUT_FORMAT: Parameter = required("outputFormat", Kind::Format, "the form to write");

const ADDRESSES: &str = r#"{"proxyAddresses": ["SMTP:a@contoso.com", "smtp:b@contoso.com"]}"#;
const ASSIGNED: &str =
    r#"{"appRoleAssignments": [{"id": "1", "value": "admin", "displayName": "Administrator"}]}"#;

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "AppRoleAssignmentsComplex",
        Topic::Role,
        &[ROLES],
        roles::complex,
        "Gives every assigned role; the export only adds.",
    )
    .examples(&[example(
        "AppRoleAssignmentsComplex([appRoleAssignments])",
        ASSIGNED,
        r#"[{"id": "1", "value": "admin", "displayName": "Administrator", "type": "WindowsAzureActiveDirectoryRole", "primary": false}]"#,
    )]),
    function(
        "Append",
        Topic::Text,
        &[SOURCE, required("suffix", Kind::Text, "what follows it")],
        texts::append,
        "Writes a suffix behind a text.",
    )
    .examples(&[example(r#"Append([alias], ".test")"#, r#"{"alias": "ann"}"#, r#""ann.test""#)]),
    function(
        "AssertiveAppRoleAssignmentsComplex",
        Topic::Role,
        &[ROLES],
        roles::assertive,
        "Gives every assigned role; the export replaces what is there, also roles that others set.",
    )
    .examples(&[example(
        "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])",
        ASSIGNED,
        r#"[{"value": "admin", "display": "Administrator", "type": "WindowsAzureActiveDirectoryRole", "primary": false}]"#,
    )]),
    function(
        "BitAnd",
        Topic::Conversion,
        &[
            required("value1", Kind::Integer, "a number; hexadecimal as `&HF7`"),
            required("value2", Kind::Integer, "another"),
        ],
        conversions::bit_and,
        "Keeps the bits that two whole numbers have in common.",
    )
    .examples(&[
        example("BitAnd(&HF, &HF7)", "{}", "7"),
        example("CBool(BitAnd([userAccountControl], 2))", r#"{"userAccountControl": 514}"#, "true"),
    ]),
    function(
        "CBool",
        Topic::Choice,
        &[required("expression", Kind::Condition, "a comparison, `True` or `False`, or a number")],
        choices::cbool,
        "Gives True for a true comparison and for a number that is not zero.",
    )
    .examples(&[example("CBool([a] = [b])", r#"{"a": "x", "b": "x"}"#, "true")]),
    function(
        "CDate",
        Topic::Date,
        &[required("expression", Kind::Date, "the text of a date")],
        dates::cdate,
        "Reads a date.",
    )
    .note("Takes ISO 8601, also a day with an offset and no time, and the form `3/16/2020 7:00:00 AM`. Without a zone it is UTC; the result is in UTC. An absent or empty text is an error.")
    .examples(&[example("CDate([hired])", r#"{"hired": "2020-03-16-07:00"}"#, r#""3/16/2020 7:00:00 AM""#)]),
    function(
        "CRef",
        Topic::Conversion,
        &[SOURCE],
        conversions::cstr,
        "Takes a text for a reference.",
    )
    .cloud_sync()
    .examples(&[example("CRef([dn])", r#"{"dn": "cn=Joe,dc=contoso"}"#, r#""cn=Joe,dc=contoso""#)]),
    function(
        "CStr",
        Topic::Conversion,
        &[required("value", Kind::Text, "one value")],
        conversions::cstr,
        "Writes a value as text.",
    )
    .examples(&[example("CStr([accountEnabled])", r#"{"accountEnabled": true}"#, r#""True""#)]),
    function(
        "Coalesce",
        Topic::Choice,
        &[required("source", Kind::Any, "a value; the last one serves as the default")],
        choices::coalesce,
        "Gives the first value that is not null.",
    )
    .repeating(1)
    .passes(Passes::All)
    .note("The empty text is a value: it does not fall through.")
    .examples(&[example("Coalesce([mail], [userPrincipalName])", r#"{"userPrincipalName": "ann@contoso.com"}"#, r#""ann@contoso.com""#)]),
    function(
        "Contains",
        Topic::List,
        &[
            required("attribute", Kind::List, "the values"),
            required("search", Kind::Text, "the one to find"),
        ],
        lists::contains,
        "Gives the position of a value, from 1; 0 when it is not there.",
    )
    .cloud_sync()
    .examples(&[example(r#"Contains([proxyAddresses], "smtp:b@contoso.com")"#, ADDRESSES, "2")]),
    function(
        "ConvertFromBase64",
        Topic::Conversion,
        &[
            SOURCE,
            optional("encoding", Kind::Word, "`UTF16` (the default), `UTF8` or `ASCII`"),
        ],
        conversions::from_base64,
        "Reads the text that base64 holds.",
    )
    .fewest(1)
    .words(&[Word::Utf16, Word::Utf8, Word::Ascii])
    .cloud_sync()
    .examples(&[example(r#"ConvertFromBase64("SGVsbG8gd29ybGQh", UTF8)"#, "{}", r#""Hello world!""#)]),
    function(
        "ConvertToBase64",
        Topic::Conversion,
        &[SOURCE],
        conversions::to_base64,
        "Writes the UTF-16 bytes of a text as base64.",
    )
    .examples(&[example(r#"ConvertToBase64("a")"#, "{}", r#""YQA=""#)]),
    function(
        "ConvertToUTF8Hex",
        Topic::Conversion,
        &[SOURCE],
        conversions::to_utf8_hex,
        "Writes the UTF-8 bytes of a text in hexadecimal.",
    )
    .examples(&[example(r#"ConvertToUTF8Hex("€")"#, "{}", r#""E282AC""#)]),
    function(
        "Count",
        Topic::List,
        &[required("attribute", Kind::List, "the values")],
        lists::count,
        "Counts the values of an attribute.",
    )
    .examples(&[example("Count([proxyAddresses])", ADDRESSES, "2")]),
    function(
        "DNComponent",
        Topic::Text,
        &[
            required("reference", Kind::Text, "a distinguished name"),
            required("index", Kind::Integer, "which component, from the left, from 1"),
        ],
        texts::dn_component,
        "Gives the value of one component of a distinguished name.",
    )
    .cloud_sync()
    .examples(&[example("DNComponent(CRef([dn]), 1)", r#"{"dn": "cn=Joe,dc=contoso,dc=com"}"#, r#""Joe""#)]),
    function(
        "DateAdd",
        Topic::Date,
        &[
            INTERVAL,
            required("value", Kind::Integer, "how many; negative ones go back"),
            required("dateTime", Kind::Date, "where to begin"),
        ],
        dates::date_add,
        "Goes forward or back from a date.",
    )
    .note("A day that the month does not have becomes its last.")
    .examples(&[example(r#"DateAdd("d", 7, CDate([hired]))"#, r#"{"hired": "2012-03-16"}"#, r#""3/23/2012 12:00:00 AM""#)]),
    function(
        "DateDiff",
        Topic::Date,
        &[
            INTERVAL,
            required("date1", Kind::Date, "from"),
            required("date2", Kind::Date, "to"),
        ],
        dates::date_diff,
        "Counts how much time lies between two dates; negative when the second is earlier.",
    )
    .note("Years and months are differences of calendar numbers, weeks begin on Sunday; days, hours, minutes and seconds are elapsed time, cut toward zero.")
    .examples(&[example(r#"DateDiff("d", CDate([from]), CDate([to]))"#, r#"{"from": "2021-08-18", "to": "2021-08-31"}"#, "13")]),
    function(
        "DateFromNum",
        Topic::Date,
        &[required("value", Kind::Integer, "ticks of 100 nanoseconds since 1601")],
        dates::date_from_num,
        "Reads a Windows file time.",
    )
    .note("9223372036854775807, which Active Directory uses for \"never\", is no date.")
    .examples(&[example("DateFromNum(129699324000000000)", "{}", r#""1/1/2012 11:00:00 PM""#)]),
    function(
        "Error",
        Topic::Flow,
        &[required("message", Kind::Text, "why")],
        texts::error,
        "Makes the object fail.",
    )
    .cloud_sync()
    .examples(&[example(r#"Coalesce([mail], Error("mail is required"))"#, r#"{"mail": "a@contoso.com"}"#, r#""a@contoso.com""#)]),
    Function {
        short_form: &[SOURCE, INPUT_FORMAT, OUTPUT_FORMAT],
        ..function(
            "FormatDateTime",
            Topic::Date,
            &[
                required("source", Kind::Text, "the text of a date"),
                optional("dateTimeStyles", Kind::Styles, "names of .NET's DateTimeStyles; white space around the text is allowed when they are left out"),
                INPUT_FORMAT,
                OUTPUT_FORMAT,
            ],
            dates::format_date_time,
            "Writes a date in another form.",
        )
    }
    .fewest(3)
    .note("With three arguments the styles are left out: source, inputFormat, outputFormat. Formats are .NET custom formats: `yyyy` `MM` `dd` `HH` `hh` `mm` `ss` `f` `tt` `zzz`. A text that does not have the input format is an error; the result of a date function is taken as it is.")
    .examples(&[example(r#"FormatDateTime([d], , "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")"#, r#"{"d": "20150123105347.1Z"}"#, r#""2015-01-23""#)]),
    function("Guid", Topic::Generated, &[], generated::guid, "Makes a new GUID.")
        .note("A new one at each evaluation: use it when an object is created only.")
        .examples(&[example("Guid()", "{}", "")]),
    function(
        "IIF",
        Topic::Choice,
        &[
            required("condition", Kind::Condition, "one comparison, or a call that gives True or False"),
            required("valueIfTrue", Kind::Any, "the result if it holds"),
            required("valueIfFalse", Kind::Any, "the result if not"),
        ],
        choices::iif,
        "Chooses between two values.",
    )
    .passes(Passes::Rest)
    .note("Only the chosen branch is evaluated. Two readable numbers compare as numbers, anything else as text, in which case matters. There is no AND or OR: nest another `IIF` in the true or in the false branch.")
    .examples(&[example(r#"IIF([country] = "NL", "Europe", "World")"#, r#"{"country": "NL"}"#, r#""Europe""#)]),
    function(
        "IgnoreFlowIfNullOrEmpty",
        Topic::Flow,
        &[required("expression", Kind::Any, "the value")],
        choices::ignore_if_empty,
        "Leaves the attribute out of the export when there is no value.",
    )
    .outermost()
    .passes(Passes::All)
    .examples(&[
        example("IgnoreFlowIfNullOrEmpty([department])", r#"{"department": "Sales"}"#, r#""Sales""#),
        example("IgnoreFlowIfNullOrEmpty([department])", r#"{"department": ""}"#, r#"{"$flow": "ignore"}"#),
    ]),
    function(
        "InStr",
        Topic::Text,
        &[
            required("value1", Kind::Text, "where to search"),
            required("value2", Kind::Text, "what to find"),
            optional("start", Kind::Integer, "the first position to look at; 1 when left out"),
            optional("compareType", Kind::Word, "`vbBinaryCompare` (the default) or `vbTextCompare`, which ignores case"),
        ],
        texts::in_str,
        "Gives the position of a text in another, from 1; 0 when it is not there.",
    )
    .fewest(2)
    .words(&[Word::BinaryCompare, Word::TextCompare])
    .examples(&[example(r#"InStr("The quick brown fox", "quick")"#, "{}", "5")]),
    function("IsNothing", Topic::Choice, &[VALUE], choices::is_null, "Tests whether there is no value, as `IsNull` does.")
        .undocumented()
        .examples(&[example("IsNothing([mail])", "{}", "true")]),
    function("IsNull", Topic::Choice, &[VALUE], choices::is_null, "Tests whether an attribute is absent.")
        .note("The empty text is present.")
        .examples(&[example("IsNull([mail])", r#"{"mail": ""}"#, "false")]),
    function("IsNullOrEmpty", Topic::Choice, &[VALUE], choices::is_null_or_empty, "Tests whether an attribute is absent or the empty text.")
        .note("A space is a value.")
        .examples(&[example("IsNullOrEmpty([mail])", r#"{"mail": ""}"#, "true")]),
    function("IsPresent", Topic::Choice, &[VALUE], choices::is_present, "Tests whether an attribute has a value that is not the empty text.")
        .examples(&[example("IsPresent([mail])", r#"{"mail": "a@contoso.com"}"#, "true")]),
    function("IsString", Topic::Choice, &[VALUE], choices::is_string, "Tests whether a value can be written as one text.")
        .examples(&[example("IsString([proxyAddresses])", ADDRESSES, "false")]),
    function(
        "Item",
        Topic::List,
        &[
            required("attribute", Kind::List, "the values"),
            required("index", Kind::Integer, "which one, from 1"),
        ],
        lists::item,
        "Gives one value of an attribute.",
    )
    .note("A number that there is not is an error.")
    .examples(&[example("Item([proxyAddresses], 1)", ADDRESSES, r#""SMTP:a@contoso.com""#)]),
    function(
        "Join",
        Topic::Text,
        &[
            required("separator", Kind::Text, "what stands between them; may be empty"),
            required("source", Kind::List, "a text, or the values of an attribute"),
        ],
        lists::join,
        "Writes texts one behind the other.",
    )
    .repeating(1)
    .note("Absent and empty sources are passed over, with their separator.")
    .examples(&[example(r#"Join(", ", [surname], [middleName], [givenName])"#, r#"{"surname": "Doe", "givenName": "John"}"#, r#""Doe, John""#)]),
    function(
        "Left",
        Topic::Text,
        &[SOURCE, required("length", Kind::Integer, "how many characters")],
        texts::left,
        "Gives the beginning of a text.",
    )
    .note("A negative length gives the whole text.")
    .examples(&[example(r#"Left("John Doe", 3)"#, "{}", r#""Joh""#)]),
    function(
        "Mid",
        Topic::Text,
        &[
            SOURCE,
            required("start", Kind::Integer, "the first character, from 1"),
            required("length", Kind::Integer, "how many characters; too many give the rest"),
        ],
        texts::mid,
        "Gives a part of a text.",
    )
    .examples(&[example(r#"Mid("abcdef", 2, 3)"#, "{}", r#""bcd""#)]),
    function(
        "NormalizeDiacritics",
        Topic::Text,
        &[SOURCE],
        texts::normalize_diacritics,
        "Writes Latin letters without their accents.",
    )
    .note("ü becomes u, ø becomes oe, ß becomes ss. Other scripts, and letters without a plain form such as þ, stay.")
    .examples(&[example("NormalizeDiacritics([name])", r#"{"name": "Zoë Müller"}"#, r#""Zoe Muller""#)]),
    function(
        "Not",
        Topic::Choice,
        &[required("source", Kind::Any, "a truth")],
        choices::not,
        "Gives False for True, and True for everything else.",
    )
    .examples(&[example("Not(IsPresent([mail]))", "{}", "true")]),
    function("Now", Topic::Date, &[], dates::now, "Gives the present time in UTC.")
        .examples(&[example("Now()", "{}", "")]),
    function(
        "NumFromDate",
        Topic::Date,
        &[required("value", Kind::Date, "a date")],
        dates::num_from_date,
        "Writes a date as a Windows file time: ticks of 100 nanoseconds since 1601.",
    )
    .examples(&[example(r#"NumFromDate("2012-01-01T23:00:00Z")"#, "{}", r#""129699324000000000""#)]),
    function(
        "PCase",
        Topic::Text,
        &[
            SOURCE,
            optional("wordSeparators", Kind::Text, "the characters that separate words; when left out: all but letters, digits and the apostrophe"),
        ],
        texts::proper_case,
        "Writes each word with a capital and the rest in lower case.",
    )
    .fewest(1)
    .examples(&[
        example(r#"PCase("PABLO GONSALVES (SECOND)")"#, "{}", r#""Pablo Gonsalves (Second)""#),
        example(r#"PCase("anne-marie smith", " ")"#, "{}", r#""Anne-marie Smith""#),
    ]),
    function(
        "Prepend",
        Topic::Text,
        &[required("prefix", Kind::Text, "what comes first"), SOURCE],
        texts::prepend,
        "Writes a prefix before a text.",
    )
    .undocumented()
    .examples(&[example(r#"Prepend("smtp:", [mail])"#, r#"{"mail": "a@contoso.com"}"#, r#""smtp:a@contoso.com""#)]),
    function(
        "RandomString",
        Topic::Generated,
        &[
            required("length", Kind::Integer, "how many characters, at most 256"),
            required("minimumDigits", Kind::Integer, "at least so many digits"),
            required("minimumSpecial", Kind::Integer, "at least so many special characters"),
            required("minimumUpper", Kind::Integer, "at least so many capital letters"),
            required("minimumLower", Kind::Integer, "at least so many small letters"),
            optional("avoid", Kind::Text, "characters that are not to be used"),
        ],
        generated::random_string,
        "Makes a random text, such as a first password.",
    )
    .fewest(5)
    .note("A new one at each evaluation: use it when an object is created only, and within `Redact`.")
    .examples(&[example(r#"RandomString(12, 1, 1, 1, 1, "?,")"#, "{}", "")]),
    function(
        "Redact",
        Topic::Flow,
        &[required("value", Kind::Any, "the value")],
        texts::redact,
        "Gives the value as it is, but logs show `[Redact]` in its place.",
    )
    .passes(Passes::All)
    .examples(&[example("Redact([employeeId])", r#"{"employeeId": "77"}"#, r#""77""#)]),
    function(
        "RemoveDuplicates",
        Topic::List,
        &[required("attribute", Kind::List, "the values")],
        lists::remove_duplicates,
        "Keeps one of equal values.",
    )
    .examples(&[example("RemoveDuplicates([tags])", r#"{"tags": ["red", "blue", "red"]}"#, r#"["red", "blue"]"#)]),
    Function {
        foreign_form: Some(ForeignForm {
            arguments: 3,
            reason: "three arguments are the form of the Connect sync dialect",
        }),
        ..function(
            "Replace",
            Topic::Text,
            &[
                required("source", Kind::Text, "the text in which to replace"),
                optional("oldValue", Kind::Text, "the text to replace"),
                optional("regexPattern", Kind::Text, "a regular expression of .NET for what to replace"),
                optional("regexGroupName", Kind::Text, "the group of the pattern that matters"),
                optional("replacementValue", Kind::Text, "what to put in; `${name}` is a group of the pattern"),
                optional("replacementAttributeName", Kind::Text, "an attribute to read when the source is empty"),
                optional("template", Kind::Text, "a text in which oldValue stands for the source"),
            ],
            replace::replace,
            "Replaces parts of a text; the arguments that are given select how.",
        )
    }
    .note("The first that fits: oldValue and template put the source into the template; oldValue and replacementValue replace plain text; regexPattern, regexGroupName and replacementAttributeName take the group from another attribute when the source is empty; regexPattern, regexGroupName and replacementValue replace only the group; regexPattern and replacementValue replace every match. All seven places count, also the empty ones. Patterns run in linear time: no look-around, no references back.")
    .examples(&[
        example(r#"Replace([title], "Developer", , , "Engineer", , )"#, r#"{"title": "Senior Developer"}"#, r#""Senior Engineer""#),
        example(r#"Replace([phone], , "[()\\s-]+", , "", , )"#, r#"{"phone": "+1 (555) 123-4567"}"#, r#""+15551234567""#),
        example(r#"Replace([mail], , "(?<name>[^@]+)@(?<domain>.*)", "domain", "fabrikam.com", , )"#, r#"{"mail": "ann@contoso.com"}"#, r#""ann@fabrikam.com""#),
    ]),
    function(
        "SelectUniqueValue",
        Topic::Generated,
        &[
            required("rule1", Kind::Text, "the value that is wanted most"),
            required("rule2", Kind::Text, "the next to try"),
        ],
        choices::select_unique,
        "Gives the first value that no other object of the target has.",
    )
    .repeating(1)
    .outermost()
    .note("When all are taken, the object fails and is tried again later. Use it when an object is created only.")
    .examples(&[example(r#"SelectUniqueValue([alias], Append([alias], "1"))"#, r#"{"alias": "ann"}"#, r#""ann""#)]),
    function(
        "SingleAppRoleAssignment",
        Topic::Role,
        &[ROLES],
        roles::single,
        "Gives the name of one assigned role; of several, the first.",
    )
    .examples(&[example("SingleAppRoleAssignment([appRoleAssignments])", ASSIGNED, r#""admin""#)]),
    function(
        "Split",
        Topic::List,
        &[SOURCE, required("delimiter", Kind::Character, "the character between the values")],
        lists::split,
        "Makes a list of a text; white space around the values is left out.",
    )
    .examples(&[example(r#"Split([sets], ",")"#, r#"{"sets": "one, two"}"#, r#"["one", "two"]"#)]),
    function(
        "StringFromSid",
        Topic::Conversion,
        &[required("value", Kind::Text, "the bytes of a security identifier, in base64")],
        conversions::string_from_sid,
        "Writes a security identifier as text.",
    )
    .cloud_sync()
    .examples(&[example("StringFromSid([objectSid])", r#"{"objectSid": "AQIAAAAAAAUgAAAAIAIAAA=="}"#, r#""S-1-5-32-544""#)]),
    function("StripSpaces", Topic::Text, &[SOURCE], texts::strip_spaces, "Leaves out the spaces of a text.")
        .note("Only the space itself, not tabs and no-break spaces.")
        .examples(&[example(r#"StripSpaces("Mary Ann Lee")"#, "{}", r#""MaryAnnLee""#)]),
    function(
        "Switch",
        Topic::Choice,
        &[
            required("source", Kind::Text, "the value to look up"),
            optional("defaultValue", Kind::Any, "the result when no key fits; null when left out"),
            required("key", Kind::Text, "a value that the source may have"),
            required("value", Kind::Any, "the result for it"),
        ],
        choices::switch,
        "Looks a value up among keys.",
    )
    .repeating(2)
    .passes(Passes::Values)
    .note("Case matters. Booleans are `True` and `False`; an absent source is the key `\"\"`. Only the value that is chosen is evaluated.")
    .examples(&[example(r#"Switch([IsSoftDeleted], , "False", "True", "True", "False")"#, r#"{"IsSoftDeleted": false}"#, r#""True""#)]),
    function(
        "ToLower",
        Topic::Text,
        &[SOURCE, optional("culture", Kind::Culture, "a culture such as `tr-TR`")],
        texts::to_lower,
        "Writes a text in small letters.",
    )
    .fewest(1)
    .examples(&[example(r#"ToLower("ÄÖÜ Straße")"#, "{}", r#""äöü straße""#)]),
    function(
        "ToUpper",
        Topic::Text,
        &[SOURCE, optional("culture", Kind::Culture, "a culture such as `tr-TR`")],
        texts::to_upper,
        "Writes a text in capital letters.",
    )
    .fewest(1)
    .examples(&[example(r#"ToUpper("izmir", "tr-TR")"#, "{}", r#""İZMİR""#)]),
    function("Trim", Topic::Text, &[SOURCE], texts::trim, "Leaves out white space at both ends.")
        .cloud_sync()
        .examples(&[example(r#"Trim("  a b  ")"#, "{}", r#""a b""#)]),
    function(
        "Word",
        Topic::Text,
        &[
            SOURCE,
            required("wordNumber", Kind::Integer, "which word, from 1"),
            required("delimiters", Kind::Text, "the characters that separate words"),
        ],
        texts::word,
        "Gives one word of a text; the empty text when there are too few.",
    )
    .examples(&[example(r#"Word("The quick brown fox", 3, " ")"#, "{}", r#""brown""#)]),
];
